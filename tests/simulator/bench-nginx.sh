#!/bin/sh
# Requests a second of the simulator against nginx's, over TLS, with the same bodies, on the same core.
# usage: bench-nginx.sh SIMULATOR [SECONDS]     needs nginx, wrk, curl, python3 with botocore, taskset
# Exits 1 when the simulator does less than half of what nginx does.
set -eu
simulator=$1
seconds=${2:-5}
folder=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait; rm -rf "$folder"' EXIT INT TERM
last=$(($(nproc) - 1)) # the load's core; the servers' is the first

taskset -c 0 "$simulator" --accounts 12 --state "$folder/state" --ready-file "$folder/ready.json" --die-with-parent &
simulator_pid=$!
pids=$simulator_pid
while [ ! -f "$folder/ready.json" ]; do sleep 0.05; done

# One signed request of each kind, as a wrk script; its signature is good for five minutes.
python3 - "$folder" <<'PYTHON'
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
folder = sys.argv[1]
ready = json.load(open(folder + "/ready.json"))
user = Credentials(ready["access_key_id"], ready["secret_access_key"])
json11 = {"Content-Type": "application/x-amz-json-1.1"}
requests = {
    "list-notebooks": ("POST", "/", "sagemaker", dict(json11, **{"X-Amz-Target": "SageMaker.ListNotebookInstances"}), '{"MaxResults":100}'),
    "describe-organization": ("POST", "/", "organizations", dict(json11, **{"X-Amz-Target": "AWSOrganizationsV20161128.DescribeOrganization"}), "{}"),
    "list-accounts": ("POST", "/", "organizations", dict(json11, **{"X-Amz-Target": "AWSOrganizationsV20161128.ListAccounts"}), "{}"),
    "logging": ("GET", "/logging/modelinvocations", "bedrock", {}, ""),
}
for name, (method, path, service, headers, body) in requests.items():
    request = AWSRequest(method, ready["endpoint"] + path, headers=headers, data=body)
    SigV4Auth(user, service, "us-east-1").add_auth(request)
    with open(f"{folder}/{name}.lua", "w") as script:
        print(f'wrk.method = "{method}"', f"wrk.body = {json.dumps(body)}", sep="\n", file=script)
        for key, value in request.headers.items():
            print(f"wrk.headers[{json.dumps(key)}] = {json.dumps(value)}", file=script)
    with open(f"{folder}/{name}.curl", "w") as config:
        print(f"request = {method}", *(f"header = {json.dumps(f'{k}: {v}')}" for k, v in request.headers.items()), sep="\n", file=config)
        if body:
            print(f"data-binary = {json.dumps(body)}", file=config)
    open(f"{folder}/{name}.path", "w").write(path)
PYTHON
port=$(python3 -c "import json,sys; print(json.load(open(sys.argv[1]))['port'])" "$folder/ready.json")

names="logging describe-organization list-notebooks list-accounts"
mkdir "$folder/bodies" "$folder/logs"
for name in $names; do
	curl -s --fail --cacert "$folder/state/ca.pem" --config "$folder/$name.curl" "https://127.0.0.1:$port$(cat "$folder/$name.path")" >"$folder/bodies/$name"
done
{
	echo "daemon off; master_process off; pid $folder/nginx.pid; error_log $folder/logs/error.log;"
	echo "events { worker_connections 4096; }"
	echo "http { access_log off; keepalive_requests 100000000; default_type application/json;"
	for kind in client_body proxy fastcgi uwsgi scgi; do
		echo "${kind}_temp_path $folder/logs/$kind;"
	done
	echo "server { listen 127.0.0.1:8443 ssl; ssl_certificate $folder/state/cert.pem; ssl_certificate_key $folder/state/key.pem;"
	# The cheapest nginx has: a body from memory, whatever the method is.
	for name in $names; do
		echo "location = /$name { return 200 '$(sed "s/'/\\\\'/g" "$folder/bodies/$name")'; }"
	done
	echo "} }"
} >"$folder/nginx.conf"
nginx_port=$(python3 -c "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])")
sed -i "s/127.0.0.1:8443/127.0.0.1:$nginx_port/" "$folder/nginx.conf"
taskset -c 0 nginx -p "$folder" -c "$folder/nginx.conf" 2>"$folder/logs/start" &
nginx_pid=$!
pids="$pids $nginx_pid"
sleep 1

ticks() { # CPU time of a process so far, in hundredths of a second
	awk '{print $14 + $15}' "/proc/$1/stat"
}

# rate PID SCRIPT URL: sets best (requests a second, best of three) and cost (CPU microseconds a request, least of three)
rate() {
	best=0 cost=1000000
	for _ in 1 2 3; do
		before=$(ticks "$1")
		taskset -c "$last" wrk -t1 -c32 -d"${seconds}s" -s "$2" "$3" >"$folder/wrk" 2>&1
		after=$(ticks "$1")
		if grep -q 'Non-2xx' "$folder/wrk"; then
			cat "$folder/wrk" >&2
			exit 2
		fi
		now=$(awk '/^Requests\/sec/ {print int($2)}' "$folder/wrk")
		done=$(awk '/requests in/ {print $1}' "$folder/wrk")
		[ "$now" -le "$best" ] || best=$now
		cost=$(awk "BEGIN {c = ($after - $before) * 10000 / $done; print c < $cost ? c : $cost}")
	done
}

# Judged by CPU time: a core that is shared with other work makes the rates shake, and the servers' own use of it not.
result=0
printf '%-24s %6s %12s %9s %14s %14s %6s\n' answer bytes simulator/s nginx/s "simulator us" "nginx us" ratio
for name in $names; do
	rate "$simulator_pid" "$folder/$name.lua" "https://127.0.0.1:$port$(cat "$folder/$name.path")"
	ours=$best our_cost=$cost
	rate "$nginx_pid" "$folder/$name.lua" "https://127.0.0.1:$nginx_port/$name"
	bytes=$(wc -c <"$folder/bodies/$name")
	ratio=$(awk "BEGIN {printf \"%.2f\", $cost / $our_cost}")
	printf '%-24s %6d %12d %9d %14.1f %14.1f %6s\n' "$name" "$bytes" "$ours" "$best" "$our_cost" "$cost" "$ratio"
	[ "$(awk "BEGIN {print ($ratio < 0.5)}")" = 0 ] || result=1
done
exit $result
