#!/usr/bin/env python3
"""Starts the migration example: Consul, Vault, a simulator of AWS, the services, sluice and an Envoy, all on loopback.

Everything that it starts ends with it. State is in a temporary folder. With --free every port is a free one; the last
line that it prints before it waits is "ready", and before that one line of JSON says where everything is.
"""
import argparse
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CALCULATOR = {"team": "calculator"}


class Stack:
    """What was started, in order, and the folder that holds its state and logs."""

    def __init__(self, free, name="migration"):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"sluice-{name}-"))
        self.free = free
        self.processes = []

    def port(self, usual):
        if not self.free:
            return usual
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def start(self, name, *command, env=None, cwd=None):
        log = open(self.dir / f"{name}.log", "wb")
        process = subprocess.Popen(
            [str(c) for c in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, cwd=cwd or self.dir, start_new_session=True)
        log.close()
        self.processes.append((name, process))

    def wait(self, what, ready, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, process in self.processes:
                if process.poll() is not None:
                    raise SystemExit(f"{name} has ended:\n{self.log(name)}")
            try:
                if ready():
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        raise SystemExit(f"waited {seconds} s for {what}")

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")[-4000:]

    def stop(self):
        """Ends everything, the last first; an Envoy and its control plane are given time to drain."""
        for _, process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def tool(name):
    return subprocess.run([ROOT / "tools/install.sh", "path", name], check=True, capture_output=True, text=True).stdout.strip()


def call(method, url, body=None, headers=None):
    """One HTTP request with a JSON body; the answer as JSON, or text where it is none."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def answers(url):
    def ask():
        try:
            call("GET", url)
        except urllib.error.HTTPError as e:
            return e.code < 500
        return True
    return ask


def consul(stack):
    ports = {k: stack.port(p) for k, p in {"http": 8500, "server": 8300, "serf_lan": 8301, "grpc": 8502, "dns": 8600}.items()}
    flags = [f"-{k.replace('_', '-')}-port={p}" for k, p in ports.items()]
    flags += ["-grpc-tls-port=-1", "-serf-wan-port=-1"]
    stack.start("consul", tool("consul"), "agent", "-dev", "-client=127.0.0.1", "-bind=127.0.0.1", *flags)
    url = f"http://127.0.0.1:{ports['http']}"
    stack.wait("Consul", lambda: call("GET", url + "/v1/status/leader") != "")
    return url


def aws(stack, pythonpath):
    """The simulator checks signatures and policies as AWS does; test/test is its root."""
    port = stack.port(4566)
    stack.start("aws", sys.executable, "-m", "ministack", env={
        "PYTHONPATH": pythonpath, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AUTH": "true",
        "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "WARNING"})
    url = f"http://127.0.0.1:{port}"
    stack.wait("the simulator of AWS", answers(url + "/_ministack/health"))
    return url


def aws_client(service, url):
    import botocore.session
    return botocore.session.get_session().create_client(
        service, region_name="us-east-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test")


def deploy(url):
    """Puts the Lambdas there."""
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    aws_client("iam", url).create_role(RoleName="lambda", AssumeRolePolicyDocument=json.dumps(trust))
    client = aws_client("lambda", url)
    for source in sorted((HERE / "lambdas").glob("*.py")):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as z:
            z.writestr("main.py", source.read_text())
        client.create_function(
            FunctionName=source.stem, Runtime="python3.12", Handler="main.handler", Timeout=5, Tags=CALCULATOR,
            Role="arn:aws:iam::000000000000:role/lambda", Code={"ZipFile": archive.getvalue()},
            Description=source.read_text().strip().strip('"').split("\n")[0].strip('"'))


def vault(stack, aws_url):
    port = stack.port(8200)
    url, root = f"http://127.0.0.1:{port}", {"X-Vault-Token": "root"}
    binary = tool("vault")
    stack.start("vault", binary, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}",
                "-dev-no-store-token", f"-dev-plugin-dir={pathlib.Path(binary).parent / 'plugins'}", env={"AWS_CA_BUNDLE": ""})
    stack.wait("Vault", answers(url + "/v1/sys/health"))
    call("POST", url + "/v1/sys/mounts/aws", {"type": "aws"}, root)
    call("POST", url + "/v1/aws/config/root", {
        "access_key": "test", "secret_key": "test", "region": "us-east-1", "iam_endpoint": aws_url, "sts_endpoint": aws_url}, root)
    call("POST", url + "/v1/aws/roles/lambda-invoker", {"credential_type": "iam_user", "policy_document": json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Resource": "*", "Action": [
            "lambda:InvokeFunction", "lambda:ListFunctions", "lambda:ListAliases", "lambda:ListTags",
            "lambda:ListFunctionUrlConfigs", "sts:GetCallerIdentity"]}]})}, root)
    policy = 'path "aws/creds/lambda-invoker" { capabilities = ["read"] }\n'
    policy += 'path "sys/leases/renew" { capabilities = ["update"] }\npath "sys/leases/revoke" { capabilities = ["update"] }\n'
    policy += 'path "auth/token/renew-self" { capabilities = ["update"] }\npath "auth/token/lookup-self" { capabilities = ["read"] }\n'
    call("PUT", url + "/v1/sys/policies/acl/sluice", {"policy": policy}, root)
    token = call("POST", url + "/v1/auth/token/create", {"policies": ["sluice"], "period": "24h"}, root)["auth"]["client_token"]
    (stack.dir / "vault-token").write_text(token)
    (stack.dir / "vault-token").chmod(0o600)
    return url


def service(stack, consul_url, name, usual):
    port = stack.port(usual)
    stack.start(name, stack.dir / name, f"-listen=127.0.0.1:{port}")
    call("PUT", consul_url + "/v1/agent/service/register", {
        "Name": name, "Address": "127.0.0.1", "Port": port,
        "Check": {"TCP": f"127.0.0.1:{port}", "Interval": "1s", "Status": "passing"}})


def documents(consul_url, aws_url, port):
    put = lambda key, text: call("PUT", f"{consul_url}/v1/kv/sluice/{key}", text.encode())
    put("values/edge/port", str(port))
    put("values/aws/endpoint", aws_url)
    for path in sorted((HERE / "documents").glob("*.hcl")):
        put("routes/" + path.name, path.read_text())


def sluice(stack, binary, consul_url, vault_url):
    xds, http, admin = stack.port(8551), stack.port(8550), stack.port(9901)
    shutil.copy(HERE / "agent/sluice.hcl", stack.dir / "sluice.hcl")
    (stack.dir / "ports.hcl").write_text(
        f'xds {{ address = "127.0.0.1:{xds}" }}\nhttp {{ address = "127.0.0.1:{http}" }}\nstate_dir = "{stack.dir}/state"\n')
    stack.start("sluice", binary, "server", "-config", "sluice.hcl", "-config", "ports.hcl",
                env={"CONSUL_HTTP_ADDR": consul_url, "VAULT_ADDR": vault_url})
    stack.wait("sluice", answers(f"http://127.0.0.1:{http}/readyz"))
    stack.start("envoy", binary, "envoy", "run", "-gateway", "edge", "-xds", f"127.0.0.1:{xds}",
                "-admin", f"127.0.0.1:{admin}")
    return f"http://127.0.0.1:{http}"


def up(stack, binary):
    pythonpath = str(pathlib.Path(tool("ministack")).parent)
    sys.path.insert(0, pythonpath)
    for name in ("monolith", "statistics"):
        subprocess.run(["go", "build", "-o", stack.dir / name, f"./examples/migration/{name}"], cwd=ROOT, check=True)
    at = {"dir": str(stack.dir)}
    at["consul"], at["aws"] = consul(stack), aws(stack, pythonpath)
    deploy(at["aws"])
    at["vault"] = vault(stack, at["aws"])
    service(stack, at["consul"], "monolith", 9001)
    service(stack, at["consul"], "statistics", 9003)
    port = stack.port(8080)
    at["edge"] = f"http://127.0.0.1:{port}"
    documents(at["consul"], at["aws"], port)
    at["sluice"] = sluice(stack, binary, at["consul"], at["vault"])
    stack.wait("the gateway", lambda: call("GET", at["edge"] + "/divide/6/3")["result"] == 2)
    stack.wait("the Lambdas", lambda: call("GET", at["edge"] + "/multiply/6/3")["result"] == 18)
    at["processes"] = {name: process.pid for name, process in stack.processes}
    return at


HELP = """
The calculator answers at {edge}:

  curl {edge}/divide/6/3          # the monolith
  curl {edge}/multiply/6/3        # a Lambda, signed with keys that Vault made
  curl {edge}/table/7             # the monolith's JSON as a page
  curl -X POST -d '{{}}' {edge}/statistics/divide ; curl {edge}/statistics/divide   # gRPC

Move divide to its Lambda, while you call it:

  export CONSUL_HTTP_ADDR={consul} SLUICE_ADDR={sluice}
  {tool} kv put sluice/values/canary/divide 50
  bin/sluice functions
  bin/sluice secrets

Consul's pages are at {consul}/ui. Logs are in {dir}. Ctrl-C ends everything.
"""


def main():
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--free", action="store_true", help="use free ports and print where everything is as JSON")
    flags.add_argument("--sluice", default=ROOT / "bin/sluice", help="the sluice to run")
    flags = flags.parse_args()
    stack = Stack(flags.free)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        at = up(stack, flags.sluice)
        if stack.free:
            print(json.dumps(at))
        else:
            print(HELP.format(tool=tool("consul"), **at))
        print("ready", flush=True)
        while all(process.poll() is None for _, process in stack.processes) or stack.free:
            time.sleep(0.2)
        ended = [name for name, process in stack.processes if process.poll() is not None]
        raise SystemExit(f"{ended[0]} has ended:\n{stack.log(ended[0])}")
    except KeyboardInterrupt:
        pass
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
