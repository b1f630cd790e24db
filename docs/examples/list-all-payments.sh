#!/bin/sh
# Walks all captured payments, page by page: id, amount and currency, a line each.
#
#   sh docs/examples/list-all-payments.sh http://127.0.0.1:4040 "$(cat .millrace/api-key)"
set -eu
url="$1/v1/payments?status=captured&limit=100"
cursor=
while :; do
  page=$(curl -sSf -H "Authorization: Bearer $2" "$url$cursor")
  printf '%s' "$page" | grep -o '{"id":"pay_[^}]*}' |
    sed 's/.*"id":"\([^"]*\)".*"amount":\([^,]*\),"currency":"\([^"]*\)".*/\1 \2 \3/'
  next=$(printf '%s' "$page" | sed 's/.*"next_cursor":"\{0,1\}\([^"}]*\).*/\1/')
  [ "$next" = null ] && break
  cursor="&cursor=$next"
done
