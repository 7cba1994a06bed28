#!/bin/sh
# Sends events to Millrace with curl, in each form. MILLRACE_URL says where it is, MILLRACE_API_KEY with which key.
set -eu
url=${MILLRACE_URL:-http://127.0.0.1:8080}
send() {
    curl --silent --show-error --fail-with-body --header "X-Api-Key: ${MILLRACE_API_KEY:-}" "$@" "$url/ingest"
    echo
}

# --8<-- [start:event]
send --header 'Content-Type: application/json' --data '{
  "eventType": "purchase", "eventId": "curl-1", "eventTime": "2026-11-23T09:00:00Z", "schemaVersion": 2,
  "data": {"order_id": "o-1", "customer_id": "c-1", "amount": "49.90", "currency": "EUR"}
}'
# --8<-- [end:event]

# --8<-- [start:lines]
gzip --stdout <<'LINES' | send --header 'Content-Type: application/x-ndjson' --header 'Content-Encoding: gzip' --data-binary @-
{"eventType": "purchase", "eventId": "curl-2", "eventTime": "2026-11-23T09:01:00Z", "order_id": "o-2", "customer_id": "c-2", "amount": "12.50", "currency": "EUR"}
{"eventType": "signup", "eventId": "curl-3", "eventTime": "2026-11-23T09:02:00Z", "customer_id": "c-2", "plan": "plus"}
LINES
# --8<-- [end:lines]

# --8<-- [start:binary]
send --header 'ce-specversion: 1.0' --header 'ce-type: purchase' --header 'ce-source: /checkout' \
    --header 'ce-id: curl-4' --header 'ce-time: 2026-11-23T09:03:00Z' --header 'Content-Type: application/json' \
    --data '{"order_id": "o-4", "customer_id": "c-1", "amount": "7.00", "currency": "GBP"}'
# --8<-- [end:binary]

# --8<-- [start:structured]
send --header 'Content-Type: application/cloudevents+json' --data '{
  "specversion": "1.0", "type": "purchase", "source": "/checkout", "id": "curl-5", "time": "2026-11-23T09:04:00Z",
  "data": {"order_id": "o-5", "customer_id": "c-3", "amount": "20.00", "currency": "USD"}
}'
# --8<-- [end:structured]
