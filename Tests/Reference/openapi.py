"""Checks Sources/CResources/openapi.json.

The document must be valid OpenAPI with the version of the release. Every operation, parameter and field must have a
description. Every request and JSON response must have examples that match their schemas.

With the URL of a server with the three example models, the script also sends the example requests and compares the
responses. Numbers may differ by a tolerance.

    python Tests/Reference/openapi.py [http://127.0.0.1:8080]

Needs openapi-spec-validator and jsonschema.
"""
import base64, json, math, pathlib, re, struct, sys, urllib.error, urllib.parse, urllib.request

import jsonschema, openapi_spec_validator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent / "Sources" / "CResources"
DOCUMENT = json.loads((ROOT / "openapi.json").read_text())
VERSION = re.search(r'ENCODERD_VERSION "(.*)"', (ROOT / "include" / "CResources.h").read_text())[1]
# The relative and absolute tolerance of numbers, sufficient for every kernel table in f32.
TOLERANCE = 1e-4
# Members of responses whose values depend on the machine and are not compared.
MACHINE = {"kernel", "row_sum_max_error", "reconstruction_max_error"}
problems, examined, compared = [], 0, 0


def resolved(value):
    """Returns the target of a `$ref`, or `value` itself. Keywords next to the reference take precedence."""
    if "$ref" not in value:
        return value
    target = DOCUMENT
    for key in value["$ref"].removeprefix("#/").split("/"):
        target = target[key.replace("~1", "/").replace("~0", "~")]
    return {**resolved(target), **{key: item for key, item in value.items() if key != "$ref"}}


def matches(schema, value, where):
    """Records a problem for each error of `value` against `schema`."""
    global examined
    examined += 1
    validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    problems.extend(f"{where}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value))


def examples(holder, where):
    """Returns the examples of a parameter, header or media type by name, and checks each against the schema."""
    found = {name: item["value"] for name, item in holder.get("examples", {}).items()}
    if "example" in holder:
        found[""] = holder["example"]
    for name, value in found.items():
        matches(holder["schema"], value, f"{where}, example '{name}'")
    return found


def described(schema, where):
    """Checks that every field of a schema, at any depth, has a description."""
    for name, field in schema.get("properties", {}).items():
        if not resolved(field).get("description"):
            problems.append(f"{where}.{name} has no description")
        described(field, f"{where}.{name}")
    for part in [*([schema["items"]] if "items" in schema else []), *schema.get("oneOf", []), *schema.get("anyOf", [])]:
        described(part, where)


def response(item, where):
    """Checks one response, and returns its examples by media type and name."""
    item = resolved(item)
    if not item.get("description"):
        problems.append(f"{where} has no description")
    for name, header in item.get("headers", {}).items():
        examples(resolved(header), f"{where}, {name}")
    found = {}
    for media, content in item["content"].items():
        described(content["schema"], f"{where} {media}")
        found[media] = examples(content, f"{where} {media}")
        if media == "application/json" and not found[media]:
            problems.append(f"{where} has no example")
    return found


def floats(text):
    """Decodes base64 into f32 values."""
    return [value for value, in struct.iter_unpack("<f", base64.b64decode(text))]


def alike(a, b, key=""):
    """Compares two JSON values. Numbers may differ by TOLERANCE, members in MACHINE may differ freely."""
    if key in MACHINE:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name], name) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b))
    if isinstance(a, float) and isinstance(b, (int, float)) or isinstance(b, float) and isinstance(a, int):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if key == "embedding" and isinstance(a, str) and isinstance(b, str):
        return alike(floats(a), floats(b))
    return a == b


def ask(server, method, path, query, body, expected, where):
    """Sends one request and compares the response with `expected`, unless that is None."""
    global compared
    compared += 1
    url = server + path + ("?" + urllib.parse.urlencode(query) if query else "")
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method.upper())) as answer:
            got = answer.read()
    except urllib.error.HTTPError as error:
        problems.append(f"{where}: the server answers {error.code}: {error.read()[:300]!r}")
        return
    if expected is not None and not alike(expected, json.loads(got)):
        problems.append(f"{where}: the server answers {got[:600]!r}")


def operation(path, method, item, server):
    """Checks one operation, and sends its example requests if there is a server."""
    where = f"{method.upper()} {path}"
    for key in ("summary", "description", "operationId", "tags"):
        if not item.get(key):
            problems.append(f"{where} has no {key}")
    requests, placed = {}, {}
    for reference in item.get("parameters", []):
        parameter = resolved(reference)
        found = examples(parameter, f"{where}, {parameter['name']}")
        if not parameter.get("description") or not found:
            problems.append(f"{where}, {parameter['name']} has no description or no example")
        for name, value in found.items():
            if parameter["in"] == "query":
                requests.setdefault(name, {})[parameter["name"]] = json.dumps(value) if value is False else value
            elif parameter["in"] == "path":
                placed[name] = path.replace("{%s}" % parameter["name"], value)
    bodies = {}
    if "requestBody" in item:
        content = item["requestBody"]["content"]["application/json"]
        described(content["schema"], where)
        bodies = examples(content, where)
        if not bodies:
            problems.append(f"{where} has no example of a request")
    answers = {code: response(answer, f"{where} {code}") for code, answer in item["responses"].items()}
    answered = answers["200"].get("application/json", {})
    for name in bodies:
        if name not in answered:
            problems.append(f"{where}: the example '{name}' has no response")
    if server is None:
        return
    for name, body in bodies.items():
        ask(server, method, path, None, body, answered.get(name), f"{where}, example '{name}'")
    if not bodies:
        for name, query in requests.items():
            ask(server, method, path, query, None, answered.get(name), f"{where}, example '{name}'")
        for name, full in placed.items():
            ask(server, method, full, None, None, answered.get(name), f"{where}, example '{name}'")
        if not requests and not placed:
            whole = {name: value for name, value in answered.items() if name != "abridged"}
            ask(server, method, path, None, None, next(iter(whole.values()), None), where)


server = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else None
openapi_spec_validator.validate(DOCUMENT)
if DOCUMENT["info"]["version"] != VERSION:
    problems.append(f"info.version is {DOCUMENT['info']['version']}, the release is {VERSION}")
count = 0
for path, item in DOCUMENT["paths"].items():
    for method, description in item.items():
        operation(path, method, description, server)
        count += 1
for name, schema in DOCUMENT["components"]["schemas"].items():
    described(schema, name)
    if not schema.get("description") and schema.get("type") != "object":
        problems.append(f"{name} has no description")
for problem in dict.fromkeys(problems):
    print(problem)
print(f"{count} operations, {examined} examples against schemas, {compared} against the server: {len(set(problems))} problems")
sys.exit(bool(problems))
