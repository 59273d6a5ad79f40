#!/bin/sh
# Creates the certificates of the TLS tests in Tests/Reference/data/tls. They are valid for a hundred years, and only the
# tests trust them. Run this script again only to change them.
set -eu
cd "$(dirname "$0")/data"
rm -rf tls && mkdir tls && cd tls

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
# authority NAME [ISSUER]: creates a certificate authority, signed by itself or by ISSUER.
authority() {
    key "$1"
    if [ $# = 1 ]; then
        openssl req -x509 -new -key "$1.key" -subj "/CN=encoderd test $1" -days 36500 -out "$1.pem"
    else
        issue "$1" "$2" "basicConstraints=critical,CA:TRUE"
    fi
}
# issue NAME ISSUER EXTENSION: issues a certificate for the existing NAME.key.
issue() {
    openssl req -new -key "$1.key" -subj "/CN=encoderd test $1" -out "$1.csr"
    printf '%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 36500 -extfile "$1.ext" -out "$1.pem"
    rm "$1.csr" "$1.ext"
}
# leaf NAME ISSUER: creates a key and a certificate for localhost.
leaf() { key "$1" && issue "$1" "$2" "subjectAltName=DNS:localhost,IP:127.0.0.1"; }

authority root
authority intermediate root
leaf server intermediate
leaf renewed intermediate
cat server.pem intermediate.pem >server-chain.pem
cat renewed.pem intermediate.pem >renewed-chain.pem
authority clients
leaf client clients
authority strangers
leaf stranger strangers
openssl ec -in server.key -aes128 -passout pass:secret -out encrypted.key
printf 'no certificate\n' >broken.pem
rm -f ./*.srl root.key intermediate.key clients.key strangers.key strangers.pem server.pem renewed.pem intermediate.pem
