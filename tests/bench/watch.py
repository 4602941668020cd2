"""Notes the simulator's counters every 20 ms over one kept connection, until standard input ends; then prints them as JSON.

usage: watch.py PORT CA-FILE        rows: [seconds, requests, handshakes, ListAccounts answered, calls of jobs]
"""
import http.client
import json
import select
import ssl
import sys
import time

JOB_SERVICES = ("bedrock:", "sagemaker:")


def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=30)
    connection.connect()
    print("connected", flush=True)
    rows, start = [], time.monotonic()
    while True:
        connection.request("GET", "/_simulator/statistics")
        seen = json.loads(connection.getresponse().read())
        operations = seen["by_operation"]
        rows.append([time.monotonic() - start, seen["requests"], seen["tls_handshakes"], operations.get("organizations:ListAccounts", 0),
                     sum(count for name, count in operations.items() if name.startswith(JOB_SERVICES))])
        if select.select([sys.stdin], [], [], 0.02)[0]:
            break
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
