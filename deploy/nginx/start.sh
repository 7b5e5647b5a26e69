#!/bin/sh
# Without a resolver, nginx resolves names only at its start, but a recreated container has a new address. The resolver
# is the name server of this container.
set -eu
case $LANDFALL_NAME in
  '' | *[!A-Za-z0-9.\ -]*)
    echo 'LANDFALL_NAME must be host names, separated by spaces, without scheme and port.' >&2
    exit 1
    ;;
esac
server=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)
sed -e "s/NAME_SERVER/$server/" -e "s/PUBLIC_NAMES/$LANDFALL_NAME/" /etc/landfall/landfall.conf > /tmp/nginx.conf
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
