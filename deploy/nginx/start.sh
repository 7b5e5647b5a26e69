#!/bin/sh
# Without a resolver, nginx resolves names only at its start, but a recreated container has a new address. The resolver
# is the name server of this container.
set -eu
server=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)
sed "s/NAME_SERVER/$server/" /etc/landfall/landfall.conf > /tmp/nginx.conf
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
