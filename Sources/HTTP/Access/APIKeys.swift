import COpenSSL
import Glibc

/// The API keys that clients may show. Only their SHA-256 hashes are kept, with a new salt in every process.
package struct APIKeys: Sendable {
    private let salt: [UInt8]
    private let digests: [[UInt8]]

    private static let maxFileBytes = 1 << 20
    private static let maxKeyBytes = 1024

    /// Reads the keys from a file.
    /// - Parameter path: a file with one key a line; empty lines and lines that start with # are ignored.
    package init(path: String) throws(HTTPServerError) {
        var salt = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&salt, Int32(salt.count)) == 1 else {
            throw HTTPServerError(description: "there are no random numbers")
        }
        var digests: [[UInt8]] = []
        for (index, line) in try Self.read(path).split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let key = Array(line.last == 0x0D ? line.dropLast() : line)
            if key.isEmpty || key[0] == 0x23 { continue }
            guard key.count <= Self.maxKeyBytes, key.allSatisfy({ 0x21...0x7E ~= $0 }) else {
                throw HTTPServerError(
                    description:
                        "\(path), line \(index + 1): a key is up to \(Self.maxKeyBytes) visible ASCII characters")
            }
            digests.append(Self.digest(salt, key))
        }
        guard !digests.isEmpty else { throw HTTPServerError(description: "\(path) holds no key") }
        self.salt = salt
        self.digests = digests
    }

    /// Returns the place of a key among these; `nil` if it is none of them. Takes a time that does not depend on which key it
    /// is or how much of it is right.
    func firstIndex(of key: some Collection<UInt8>) -> Int? {
        guard key.count <= Self.maxKeyBytes else { return nil }
        let shown = Self.digest(salt, Array(key))
        var found: Int?
        for (index, digest) in digests.enumerated() {
            let isEqual = CRYPTO_memcmp(shown, digest, digest.count) == 0
            found = isEqual ? index : found
        }
        return found
    }

    private static func digest(_ salt: [UInt8], _ key: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        EVP_Digest(salt + key, salt.count + key.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }

    private static func read(_ path: String) throws(HTTPServerError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HTTPServerError(description: "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= maxFileBytes {
            let count = Glibc.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw HTTPServerError(description: "\(path): \(String(cString: strerror(errno)))")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: part[..<count])
        }
        throw HTTPServerError(description: "\(path) is larger than \(maxFileBytes) bytes")
    }
}
