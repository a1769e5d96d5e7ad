# coturn as Debian has it: the very package the tests run against.
FROM debian:bookworm-slim

RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends coturn \
 && rm -rf /var/lib/apt/lists/*

COPY turnserver.conf turn.sh /etc/farseal/
# As root, for port 443 and the key, with all but those two rights taken away (compose.yaml).
ENV TURN_RUN=/run/farseal
ENTRYPOINT ["/bin/sh", "/etc/farseal/turn.sh"]
