#!/usr/bin/env python3
"""Starts the hybrid example: Consul, simulators of vSphere, Nomad and EC2, calculators on all of them, sluice and an Envoy.

Everything is on loopback and ends with it. State is in a temporary folder. With --free every port is a free one; the last
line that it prints before it waits is "ready", and before that one line of JSON says where everything is.
"""
import argparse
import importlib.util
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What both examples start, and how, is written once.
_spec = importlib.util.spec_from_file_location("migration", ROOT / "examples/migration/up.py")
migration = importlib.util.module_from_spec(_spec)
sys.dont_write_bytecode = True
_spec.loader.exec_module(migration)
answers, call, tool = migration.answers, migration.call, migration.tool


def platforms(stack):
    """vSphere, Nomad and EC2, and what runs there."""
    control, machines = f"127.0.0.1:{stack.port(9100)}", stack.port(9200)
    stack.start("platforms", stack.dir / "platforms", f"-listen={control}", f"-machines-port={machines}", cwd=ROOT)
    stack.wait("the platforms", answers(f"http://{control}/"), 120)
    return f"http://{control}", machines, call("GET", f"http://{control}/")["environment"]


def last_resort(stack, consul_url):
    """An old machine that registers itself in Consul, and a service that no document uses."""
    port = stack.port(9001)
    stack.start("monolith", stack.dir / "monolith", f"-listen=127.0.0.1:{port}", "-divider=")
    for name, at in {"calculator": port, "billing": 9400}.items():
        call("PUT", consul_url + "/v1/agent/service/register", {"Name": name, "Address": "127.0.0.1", "Port": at})


def documents(consul_url, values):
    for key, value in values.items():
        call("PUT", f"{consul_url}/v1/kv/sluice/values/{key}", str(value).encode())
    for path in sorted((HERE / "documents").glob("*.hcl")):
        call("PUT", f"{consul_url}/v1/kv/sluice/routes/{path.name}", path.read_bytes())


def sluice(stack, binary, env):
    xds, http, admin = stack.port(8551), stack.port(8550), stack.port(9901)
    shutil.copy(HERE / "agent/sluice.hcl", stack.dir / "sluice.hcl")
    (stack.dir / "ports.hcl").write_text(
        f'xds {{ address = "127.0.0.1:{xds}" }}\nhttp {{ address = "127.0.0.1:{http}" }}\nstate_dir = "{stack.dir}/state"\n')
    stack.start("sluice", binary, "server", "-config", "sluice.hcl", "-config", "ports.hcl", env=env)
    stack.wait("sluice", answers(f"http://127.0.0.1:{http}/readyz"))
    stack.start("envoy", binary, "envoy", "run", "-gateway", "edge", "-xds", f"127.0.0.1:{xds}", "-admin", f"127.0.0.1:{admin}")
    return f"http://127.0.0.1:{http}"


def up(stack, binary):
    for name, package in {"platforms": "hybrid/platforms", "monolith": "calculator/monolith"}.items():
        subprocess.run(["go", "build", "-o", stack.dir / name, f"./examples/{package}"], cwd=ROOT, check=True)
    at = {"dir": str(stack.dir), "consul": migration.consul(stack)}
    at["platforms"], machines, env = platforms(stack)
    env["CONSUL_HTTP_ADDR"] = at["consul"]
    last_resort(stack, at["consul"])
    port = stack.port(8080)
    at["edge"] = f"http://127.0.0.1:{port}"
    documents(at["consul"], {"edge/port": port, "machines/port": machines, "aws/endpoint": env["AWS_ENDPOINT_URL"]})
    at["sluice"] = sluice(stack, binary, env)
    stack.wait("the gateway", lambda: call("GET", at["edge"] + "/divide/6/3")["result"] == 2)
    (stack.dir / "environment").write_text("".join(f"export {k}={v}\n" for k, v in sorted(env.items())))
    at["processes"] = {name: process.pid for name, process in stack.processes}
    return at


HELP = """
The calculator answers at {edge}, from four platforms:

  curl {edge}/divide/6/3
  curl {platforms}/                                       # who has answered how often

Move it from virtual machines to Nomad, while you call it:

  . {dir}/environment; export SLUICE_ADDR={sluice}
  {tool} kv put sluice/values/move/calculator 50
  bin/sluice upstreams

Break something:

  curl -X POST {platforms}/machines/vm-1/off              # and on
  curl -X POST {platforms}/jobs/calculator/deploy
  curl -X POST {platforms}/instances/ec2-1/terminate

See what runs that no document uses:

  bin/sluice discover -config {dir}/sluice.hcl

Consul's pages are at {consul}/ui. Logs are in {dir}. Ctrl-C ends everything.
"""


def main():
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--free", action="store_true", help="use free ports and print where everything is as JSON")
    flags.add_argument("--sluice", default=ROOT / "bin/sluice", help="the sluice to run")
    flags = flags.parse_args()
    stack = migration.Stack(flags.free, "hybrid")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        at = up(stack, flags.sluice)
        print(json.dumps(at) if stack.free else HELP.format(tool=tool("consul"), **at))
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
