#!/bin/sh
# nginx looks a name up once, when it starts, unless it is told a name server; a container that is made anew has a new
# address. The name server is that of this container.
set -eu
server=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)
sed "s/NAME_SERVER/$server/" /etc/landfall/landfall.conf > /tmp/nginx.conf
exec nginx -c /tmp/nginx.conf -g 'daemon off;'
