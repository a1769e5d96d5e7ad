#!/bin/sh -eu
# Starts coturn with what differs from office to office. The secret goes through a file only this user
# reads: other users of a machine see a command's options.
umask 077
conf=${TURN_RUN:-/run/farseal}/turnserver.conf
{
  cat "$(dirname "$0")/turnserver.conf"
  printf 'static-auth-secret=%s\n' "${FARSEAL_TURN_SECRET:?}"
  for address in $(echo "${FARSEAL_MEDIA_HOSTS:?}" | tr , ' '); do
    printf 'allowed-peer-ip=%s\n' "$address"
  done
  printf 'listening-ip=%s\nrelay-ip=%s\n' "${TURN_ADDRESS:?}" "$TURN_ADDRESS"
  if [ -n "${TURN_EXTERNAL:-}" ]; then printf 'external-ip=%s/%s\n' "$TURN_EXTERNAL" "$TURN_ADDRESS"; fi
  printf 'listening-port=%s\n' "${TURN_PORT:-3478}"
  if [ -n "${TURN_CERT:-}" ]; then
    printf 'tls-listening-port=%s\ncert=%s\npkey=%s\n' "${TURN_TLS_PORT:-443}" "$TURN_CERT" "${TURN_KEY:?}"
  else
    printf 'no-tls\nno-dtls\n'
  fi
} > "$conf"
exec turnserver -c "$conf" --pidfile "${conf%.conf}.pid" --db "${conf%.conf}.db" "$@"
