#!/bin/sh
# Writes .env for docker-compose.yml: random passwords, and the digest of a new API key that is shown once.
# An .env that is there stays as it is.
set -eu
file="${1:-.env}"
if [ -e "$file" ]; then
  echo "$file is there already: remove it first to get new secrets (the data volumes keep the old passwords)" >&2
  exit 1
fi
random() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"; }
key=$(random 43)
digest=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
umask 077
cat >"$file" <<END
MONGO_ROOT_PASSWORD=$(random 32)
MONGO_PASSWORD=$(random 32)
GRAFANA_PASSWORD=$(random 32)
GATEWAY_KEYS=owner:admin:$digest
END
echo "Wrote $file. Your API key, shown only now (send it as X-Api-Key):"
echo "$key"
