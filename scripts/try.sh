#!/bin/sh
# Prints the address of the page and three example requests for the server that `make run` starts.
base="http://${HOST:-127.0.0.1}:${PORT:-8080}"
cat <<EOF

Open $base/ in a browser, or try from another terminal:
  curl -s $base/v1/encode -H 'Content-Type: application/json' -d '{"model": "minilm", "input": "an RNN reads one step at a time"}'
  curl -s $base/v1/encode -H 'Content-Type: application/json' -d '{"model": "g2p", "input": "transformer", "output": ["states", "embedding"]}'
  curl -s '$base/v1/attention?model=minilm&input=a+map+of+attention&layers=5&format=svg' > map.svg

EOF
