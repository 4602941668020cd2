#!/usr/bin/env python3
"""Holds every row of the catalogue against AWS's own service models (botocore): test-catalogue.py BUILD-FOLDER.

Operations, methods and URIs, page tokens, result members, required members, inputs and their places, every member that a path of a
predicate, expression, identity, input, fact or evidence reads, its type, the words it is compared with (where the model lists them), codes of
things that are gone, IAM actions, signing names, targets and region tables. Then it plants wrong rows and must find each.
"""
import copy
import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

try:
    import botocore
    import botocore.session
    from botocore import xform_name
    from botocore.exceptions import UnknownServiceError
except ImportError:
    print("botocore is not installed")
    sys.exit(77)

PROTOCOLS = {"json-1.0": "json", "json-1.1": "json", "rest-json": "rest-json", "query": "query", "ec2": "ec2", "rest-xml": "rest-xml"}
XML = {"query", "ec2", "rest-xml"}
OPERATORS_OF_TEXT = {"equals", "not_equals", "in", "not_in", "equals_ignoring_case"}
MOMENTS = ("in_past", "in_future", "older_than", "younger_than", "due_within", "due_after")
LEAF_MEMBERS = {"path", "default", "transform", "type"}
# Members that botocore's model doesn't have (yet): wire name → why we read them all the same.
KNOWN_LATER = {
    ("organizations", "Account", "State"): "replaces Status",
}
# IAM actions that are not PREFIX:Operation: the service authorization reference says so.
ACTIONS = {
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListDirectoryBuckets"): "s3express:ListAllMyDirectoryBuckets",
    ("s3", "GetBucketEncryption"): "s3:GetEncryptionConfiguration",
}


def wire_name(name, shape):
    return shape.serialization.get("name", name)


class Opened(Exception):
    """The path leads into the JSON that a text holds."""


class Missing(Exception):
    pass


class Root:
    """What a path may begin with: a shape, or None where anything goes (plain text)."""

    def __init__(self, shape, service):
        self.shape = shape
        self.service = service


class Checker:
    def __init__(self, document, strict):
        self.document = document
        self.judging = True  # not in what only describes
        self.strict = strict  # rows of which the model's required members must be asked for
        self.faults = []
        self.json_shapes = set()  # (service, shape): texts that hold JSON
        self.session = botocore.session.get_session()
        self.models = {}
        self.where = ""

    def fault(self, text):
        self.faults.append(f"{self.where}: {text}")

    def model(self, service):
        if service not in self.models:
            self.models[service] = self.session.get_service_model(service)
        return self.models[service]

    # --- services and operations ---

    def services(self):
        for name, row in self.document["services"].items():
            self.where = f"services.{name}"
            try:
                model = self.model(name)
            except UnknownServiceError:
                self.fault("AWS has no such service")
                continue
            self.service(name, row, model)
            for operation, operation_row in row["operations"].items():
                self.where = f"services.{name}.{operation}"
                if operation not in model.operation_names:
                    self.fault("AWS has no such operation")
                    continue
                self.operation(name, row, operation_row, model.operation_model(operation))

    def service(self, name, row, model):
        metadata = model.metadata
        protocols = metadata.get("protocols", [metadata["protocol"]])
        if PROTOCOLS[row["protocol"]] not in protocols:
            self.fault(f"protocol {row['protocol']}, AWS says {protocols}")
        if row["protocol"].startswith("json") and row["protocol"][5:] != metadata.get("jsonVersion"):
            self.fault(f"JSON version, AWS says {metadata.get('jsonVersion')}")
        if row.get("target") != (metadata.get("targetPrefix") if row["protocol"].startswith("json") else None):
            self.fault(f"target, AWS says {metadata.get('targetPrefix')}")
        if row["protocol"] in ("query", "ec2") and row.get("version") != metadata["apiVersion"]:
            self.fault(f"version, AWS says {metadata['apiVersion']}")
        if row["signing_name"] != model.signing_name:
            self.fault(f"signing name, AWS says {model.signing_name}")
        if row["endpoint_prefix"] != model.endpoint_prefix:
            self.fault(f"endpoint prefix, AWS says {model.endpoint_prefix}")
        variable = model.service_id.hyphenize().replace("-", "_").upper()
        if row["endpoint_variable"] != variable:
            self.fault(f"endpoint variable, the SDKs say {variable}")
        self.regions(row)

    def regions(self, row):
        data = self.session.get_component("data_loader").load_data("endpoints")
        listed = set()
        for partition in data["partitions"]:
            endpoints = partition["services"].get(row["endpoint_prefix"], {}).get("endpoints", {})
            listed |= {region for region, more in endpoints.items() if region in partition["regions"] and not more.get("deprecated")}
        if row.get("scope") != "global" and set(row.get("regions", [])) != listed:
            self.fault(f"region table differs by {sorted(set(row.get('regions', [])) ^ listed)}")

    def operation(self, service, service_row, row, model):
        http = model.http
        rest = service_row["protocol"].startswith("rest")
        if rest and row.get("method") != http["method"]:
            self.fault(f"method, AWS says {http['method']}")
        if rest and row.get("uri") != http["requestUri"]:
            self.fault(f"URI, AWS says {http['requestUri']}")
        self.query_members(row, model)
        self.input(service, row, row.get("input", {}), model, complete=False)
        self.page(service, row, model)
        output = model.output_shape
        for member in row.get("required", []):
            self.member(service, self.payload(model), member)
        for member in row.get("json_texts", []):
            shape = self.member(service, self.payload(model), member)
            if shape is not None and shape.type_name != "string":
                self.fault(f"'{member}' of 'json_texts' is a {shape.type_name}")
            elif shape is not None:
                self.json_shapes.add((service, shape.name))
        if self.strict and output is not None:
            for member in output.required_members:
                if wire_name(member, output.members[member]) not in row.get("required", []):
                    self.fault(f"'{member}' is required by the model; the row does not say so")
        if "result" in row:
            shape = self.descend(service, self.payload(model), row["result"])
            if shape is not None and (shape.type_name != "list" or self.is_wrapper(service, shape)):
                self.fault(f"'{row['result']}' is no list")
        self.action(service, service_row, row, model.name)
        self.gone(row, model)

    def payload(self, model):
        """The shape of the document: the payload member's where there is one."""
        output = model.output_shape
        if output is not None and "payload" in output.serialization:
            return output.members[output.serialization["payload"]]
        return output

    def query_members(self, row, model):
        for member, name in row.get("query", {}).items():
            shape = self.input_member(model, member)
            if shape is None:
                self.fault(f"no input member '{member}'")
            elif shape.serialization.get("location") != "querystring" or shape.serialization.get("name") != name:
                self.fault(f"'{member}' goes to {shape.serialization}")

    def input_member(self, model, member):
        members = model.input_shape.members if model.input_shape is not None else {}
        if member in members:
            return members[member]
        return next((shape for name, shape in members.items() if wire_name(name, shape) == member), None)

    def place(self, row, model, member, shape):
        location = shape.serialization.get("location")
        if location == "querystring" and member not in row.get("query", {}):
            self.fault(f"input '{member}' goes to the query string")
        elif location == "uri" and "{" + shape.serialization["name"] + "}" not in model.http["requestUri"]:
            self.fault(f"input '{member}' has no place in the URI")
        elif location == "uri" and shape.serialization["name"] != member:
            self.fault(f"input '{member}' is '{shape.serialization['name']}' in the URI")
        elif location in ("header", "headers"):
            self.fault(f"input '{member}' goes to a header, which is not understood")
        elif location is None and row.get("method") == "GET" and model.http["method"] == "GET":
            self.fault(f"input '{member}' would go to the body of a GET")
        elif location is None and wire_name(member, shape) != member:
            self.fault(f"input '{member}' is '{wire_name(member, shape)}' on the wire")

    def input(self, service, row, given, model, complete):
        for member, value in given.items():
            shape = self.input_member(model, member)
            if shape is None:
                self.fault(f"no input member '{member}'")
                continue
            self.place(row, model, member, shape)
            if isinstance(value, str) and not value.startswith("$") and getattr(shape, "enum", None) and value not in shape.enum:
                self.fault(f"input '{member}': no such value '{value}'")
            if isinstance(value, int) and not isinstance(value, bool) and shape.metadata.get("max", value) < value:
                self.fault(f"input '{member}': at most {shape.metadata['max']}")
        if complete and model.input_shape is not None:
            for member in model.input_shape.required_members:
                shape = model.input_shape.members[member]
                if member not in given and wire_name(member, shape) not in given:
                    self.fault(f"{model.name} needs the input '{member}'")

    def page(self, service, row, model):
        page = row.get("page")
        try:
            paginators = self.session.get_paginator_model(service)
            config = paginators.get_paginator(model.name)
        except (ValueError, botocore.exceptions.UnknownServiceError, botocore.exceptions.DataNotFoundError):
            config = None
        if page is None:
            if config is not None:
                self.fault("the operation has pages, the row has none")
            return
        shape = self.input_member(model, page["input"])
        if shape is None:
            self.fault(f"no page token '{page['input']}' to send")
        else:
            self.place(row, model, page["input"], shape)
        output = self.descend(service, self.payload(model), page["output"])
        if output is not None and output.type_name != "string":
            self.fault(f"page token '{page['output']}' is no text")
        if "more" in page:
            self.descend(service, self.payload(model), page["more"])
        if config is not None:
            if config.get("more_results") != page.get("more"):
                self.fault(f"more pages, AWS says {config.get('more_results')}")
            wire = self.input_member(model, config["input_token"]) if isinstance(config["input_token"], str) else None
            if wire is not None and page["input"] not in (config["input_token"], wire_name(config["input_token"], wire)):
                self.fault(f"page token to send, AWS says {config['input_token']}")

    def action(self, service, service_row, row, name):
        action = row.get("action", f"{service_row.get('action_prefix', service_row['signing_name'])}:{name}")
        if action != ACTIONS.get((service, name), f"{service_row['signing_name']}:{name}"):
            self.fault(f"IAM action {action} is neither the operation's own nor one of the known exceptions")
        known = iam_actions()
        prefix, verb = action.split(":")
        if known and prefix in known and verb.lower() not in known[prefix] and (service, name) not in LATER_ACTIONS:
            self.fault(f"IAM has no action {action}")

    def gone(self, row, model):
        modelled = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
        modelled |= {shape.name for shape in model.error_shapes}
        for rule in row.get("gone", []):
            code = rule["code"]
            # Codes with a text, and S3's and SageMaker's own, are not in the models.
            if "contains" in rule or code.startswith("NoSuch") or code in UNMODELLED_CODES:
                continue
            if code not in modelled:
                self.fault(f"the operation has no error {code} (it has {sorted(modelled)})")

    # --- paths ---

    def descend(self, service, shape, path):
        try:
            for part in path.split("."):
                shape = self.step(service, shape, part)
            return shape
        except Missing as missing:
            self.fault(str(missing))
            return None

    def member(self, service, shape, path):
        return self.descend(service, shape, path)

    def step(self, service, shape, part):
        elements = part.endswith("[]")
        name = part[:-2] if elements else part
        if name == "*":
            if shape.type_name != "map":
                raise Missing(f"'*' of a {shape.type_name}")
            return shape.value
        if name:
            shape = self.named(service, shape, name)
        if elements:
            if shape.type_name == "list" and self.is_wrapper(service, shape):
                raise Missing(f"'{part}' is wrapped: its elements stand below '{shape.member.serialization.get('name', 'member')}'")
            if shape.type_name != "list":
                raise Missing(f"'{part}' is a {shape.type_name}, no list")
            shape = shape.member
        return shape

    def named(self, service, shape, name):
        if shape.type_name == "map":
            return shape.value
        if (service, shape.name) in self.json_shapes:
            raise Opened
        # S3 wraps lists: <Buckets><Bucket>…; query and ec2 do so with a name that our reader takes away.
        if shape.type_name == "list" and name == shape.member.serialization.get("name", "member") and self.wraps(service):
            return Unwrapped(shape.member)
        if shape.type_name != "structure":
            raise Missing(f"'{name}' of a {shape.type_name}")
        for member, one in shape.members.items():
            if wire_name(member, one) == name:
                return one
            # A flattened list of XML stands under its elements' name.
            if one.type_name == "list" and one.serialization.get("flattened") and wire_name(member, one) == name:
                return one
        if (service, shape.name, name) in KNOWN_LATER:
            return next(one for one in shape.members.values() if one.type_name == "string")
        raise Missing(f"{shape.name} has no member '{name}' (it has {sorted(wire_name(m, s) for m, s in shape.members.items())})")

    def resolve(self, scope, path, judged=False):
        """The shape a path leads to, and its service; (None, None) for plain text or after a fault. `judged`: a verdict hangs on it."""
        match = re.match(r"^([^.\[]*)(.*)$", path)
        root = scope.get(match.group(1))
        if root is None:
            self.fault(f"path '{path}' begins with nothing known")
            return None, None
        shape, rest = root.shape, match.group(2)
        if shape is None:
            return None, None
        said_required = rest.endswith("!")
        holder = None
        try:
            if rest.startswith("[]"):
                shape = self.step(root.service, shape, "[]")
                rest = rest[2:]
            for part in [part for part in rest.removesuffix("!").split(".") if part]:
                holder, shape = shape, self.step(root.service, shape, part)
        except Missing as missing:
            self.fault(f"path '{path}': {missing}")
            return None, None
        except Opened:
            return None, None
        if said_required and not self.requires(holder, rest):
            self.fault(f"path '{path}': the model does not require it")
        if judged and self.judging and self.strict and not said_required and holder is not root.shape and self.requires(holder, rest):
            self.fault(f"path '{path}': the model requires it of what holds it; '!' is missing")
        return shape, root.service

    @staticmethod
    def requires(holder, rest):
        """Does the model require the last member of what holds it?"""
        last = rest.removesuffix("!").split(".")[-1]
        return getattr(holder, "type_name", None) == "structure" and last in {
            wire_name(member, holder.members[member]) for member in holder.required_members}

    def wraps(self, service):
        return self.document["services"][service]["protocol"] == "rest-xml"

    def is_wrapper(self, service, shape):
        return self.wraps(service) and not isinstance(shape, (ListOf, Unwrapped)) and not shape.serialization.get("flattened")

    def is_xml(self, service):
        return self.document["services"][service]["protocol"] in XML

    def types(self, service, shape):
        if (service, shape.name) in self.json_shapes:
            return {"object", "array", "any"}
        if shape.type_name == "timestamp":
            return {"string", "number", "moment", "any"}
        if shape.type_name in ("blob", "document"):
            return {"string", "number", "any"}
        if self.is_xml(service) and shape.type_name not in ("structure", "list", "map"):
            return {"string"}
        return {{"structure": "object", "map": "object", "list": "array", "integer": "number", "long": "number", "float": "number",
                 "double": "number", "boolean": "boolean"}.get(shape.type_name, "string")}

    def expect(self, service, shape, wanted, path):
        if shape is not None and wanted not in ("any", None) and wanted not in self.types(service, shape):
            self.fault(f"path '{path}' is {sorted(self.types(service, shape))}, not {wanted}")

    # --- predicates and expressions ---

    def elements(self, scope, body, judged=False):
        """Scopes of the body, one for each path of 'in'."""
        paths = body["in"] if isinstance(body["in"], list) else [body["in"]]
        for path in paths:
            shape, service = self.resolve(scope, path, judged)
            self.expect(service, shape, body.get("type"), path)
            inner = dict(scope)
            inner[body.get("as", "each")] = Root(shape, service)
            yield inner

    def predicate(self, scope, node):
        for kind in ("all", "any"):
            for child in node.get(kind, []):
                self.predicate(scope, child)
        if "not" in node:
            self.predicate(scope, node["not"])
        for kind in ("some", "every", "none", "count"):
            if kind in node:
                for inner in self.elements(scope, node[kind], judged=True):
                    if "where" in node[kind]:
                        self.predicate(inner, node[kind]["where"])
        if "predicate" in node:
            self.predicate(scope, self.document["predicates"][node["predicate"]])
        if "builtin" in node:
            for path in node["with"].values():
                if isinstance(path, str) and not path.startswith("$set."):
                    self.resolve(scope, path)
        if "path" in node:
            self.leaf(scope, node)

    def leaf(self, scope, node):
        shape, service = self.resolve(scope, node["path"], judged=True)
        operator = next(key for key in node if key not in LEAF_MEMBERS)
        operand = node[operator]
        if isinstance(operand, str) and operand.startswith("$set."):
            operand = self.document["sets"][operand[5:]]
        if shape is None:
            return
        if "transform" in node:
            self.expect(service, shape, "string", node["path"])
            return
        words = operand if isinstance(operand, list) else [operand]
        if operator in ("exists", "absent", "empty", "not_empty"):
            self.expect(service, shape, node.get("type"), node["path"])
            return
        if operator in MOMENTS:
            self.expect(service, shape, "moment", node["path"])
            return
        if operator.endswith("equals_path"):
            self.expect(service, shape, "string", node["path"])
            other, service = self.resolve(scope, operand)
            self.expect(service, other, "string", operand)
            return
        if operator in ("has", "lacks"):
            self.expect(service, shape, "array", node["path"])
            return
        wanted = "boolean" if isinstance(words[0], bool) else "number" if isinstance(words[0], (int, float)) else "string"
        self.expect(service, shape, wanted, node["path"])
        if operator in OPERATORS_OF_TEXT and getattr(shape, "enum", None):
            for word in words + ([node["default"]] if "default" in node else []):
                if word not in shape.enum and (service, shape.name, word) not in LATER_WORDS:
                    self.fault(f"path '{node['path']}': {shape.name} has no value '{word}' (it has {shape.enum})")

    def expression(self, scope, node):
        if isinstance(node, str) and node.startswith("$"):
            self.resolve(scope, node[1:])
        if not isinstance(node, dict):
            return
        if "path" in node:
            shape, service = self.resolve(scope, node["path"])
            if "transform" in node:
                self.expect(service, shape, "string", node["path"])
        if "template" in node:
            self.template(scope, node["template"])
        for kind in ("first", "collect", "count"):
            if kind in node:
                for inner in self.elements(scope, node[kind]):
                    if "where" in node[kind]:
                        self.predicate(inner, node[kind]["where"])
                    self.expression(inner, node[kind].get("value"))
        if "truth" in node:
            self.predicate(scope, node["truth"])
        if "when" in node:
            self.predicate(scope, node["when"])

    def template(self, scope, text):
        for path in re.findall(r"\{([^}]*)\}", text):
            if "." in path:
                self.resolve(scope, path)

    # --- resources and checks ---

    def call(self, row, service):
        service = row.get("service", service)
        operation = self.document["services"][service]["operations"][row["operation"]]
        return service, operation, self.model(service).operation_model(row["operation"])

    def value_of(self, service, row, operation, model):
        """The shape of a step's value: a list for what has items, else the document."""
        items = row.get("items", operation.get("result"))
        shape = self.payload(model)
        if items is None or shape is None:
            return shape
        return self.descend(service, shape, items)

    def required(self, service, shape, rows, whose):
        asked = set()
        for one in rows:
            path = one if isinstance(one, str) else one["path"]
            asked.add(path)
            try:
                found = shape
                for part in path.split("."):
                    found = self.step(service, found, part)
                self.expect(service, found, "string" if isinstance(one, str) else one["type"], path)
            except Missing as missing:
                self.fault(f"{whose}: {missing}")
        return asked

    def resource(self, row):
        service = row["service"]
        scope = {"job": Root(None, None)}
        if "list" in row:
            scope["list"] = self.listed(row, service)
        shapes = {}
        for name, step in row.get("steps", {}).items():
            step_service, operation, model = self.call(step, service)
            shape = self.value_of(step_service, step, operation, model)
            shapes[name] = (step_service, operation, model, shape)
            scope[name] = Root(shape, step_service)
            if "for_each" in step and shape is not None:
                scope[name] = Root(ListOf(shape if operation.get("result") is None and "items" not in step else shape.member),
                                   step_service)
        for name, step in row.get("steps", {}).items():
            self.step_row(scope, step, *shapes[name])
        self.template(scope, row["identity"])
        for key in ("skip_when", "use_when"):
            if key in row:
                self.predicate(scope, row[key])
        for fact in row.get("facts", []):
            self.expression(scope, fact.get("subject"))
            self.expression(scope, fact["value"])
        for relation in row.get("relations", []):
            scopes = self.elements(scope, relation["for_each"]) if "for_each" in relation else [scope]
            for inner in scopes:
                self.expression(inner, relation["object"])
        return scope

    def listed(self, row, service):
        service, operation, model = self.call(row["list"], service)
        given = {**operation.get("input", {}), **row["list"].get("input", {})}
        self.input(service, operation, given, model, complete=True)
        shape = self.value_of(service, row["list"], operation, model)
        if shape is None or shape.type_name != "list":
            self.fault("what is listed is no list")
            return Root(None, None)
        asked = self.required(service, shape.member, row.get("item", {}).get("required", []), "item")
        if self.strict and shape.member.type_name == "structure":
            for member in shape.member.required_members:
                if wire_name(member, shape.member.members[member]) not in asked:
                    self.fault(f"item: '{member}' is required by the model")
        return Root(shape.member, service)

    def step_row(self, scope, step, service, operation, model, shape):
        inner = dict(scope)
        if "for_each" in step:
            element, element_service = self.resolve(scope, step["for_each"])
            inner[step.get("as", "each")] = Root(element, element_service)
        given = {**operation.get("input", {}), **step.get("input", {})}
        self.input(service, operation, given, model, complete=True)
        for value in given.values():
            self.expression(inner, value)
        if "when" in step:
            self.predicate(scope, step["when"])
        if shape is None:
            return
        is_list = "items" in step or "result" in operation
        whole = shape.member if is_list else shape
        asked = self.required(service, whole, step.get("required", []), "step")
        if self.strict and is_list and whole.type_name == "structure":
            for member in whole.required_members:
                if wire_name(member, whole.members[member]) not in asked:
                    self.fault(f"step {step['operation']}: '{member}' is required by the model")

    def remedy(self, row):
        """Commands of the AWS CLI: operations, options and JSON members must be the model's, and what it requires must be given."""
        for command in row.get("remediation", {}).get("cli", "").split("&&"):
            words = shlex.split(command)
            if words[:1] != ["aws"] or len(words) < 3 or words[2] == "wait":
                continue
            model = self.model(words[1])
            name = next((name for name in model.operation_names if xform_name(name, "-") == words[2]), None)
            if not name:
                self.fault(f"remediation: the CLI has no {words[1]} {words[2]}")
                continue
            shape = model.operation_model(name).input_shape
            given = dict(zip(words[3::2], words[4::2]))
            members = {"--" + xform_name(member, "-"): member for member in shape.members}
            for option, value in given.items():
                if option in ("--region", "--profile"):
                    continue
                if option not in members:
                    self.fault(f"remediation: {words[2]} has no option {option}")
                elif value.startswith("{"):
                    self.json_value(shape.members[members[option]], json.loads(value), option)
            for member in shape.required_members:
                if "--" + xform_name(member, "-") not in given:
                    self.fault(f"remediation: {words[2]} lacks --{xform_name(member, '-')}")

    def json_value(self, shape, value, where):
        if shape.type_name == "structure":
            for member in value.keys() - shape.members.keys():
                self.fault(f"remediation: {where} has no member {member}")
            for member in shape.required_members:
                if member not in value:
                    self.fault(f"remediation: {where} lacks {member}")
            for member in value.keys() & shape.members.keys():
                self.json_value(shape.members[member], value[member], f"{where} {member}")
        elif shape.type_name == "list":
            for one in value:
                self.json_value(shape.member, one, where)
        elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
            self.fault(f"remediation: {where} has no value {value}")

    def check(self, row, scope):
        for key in ("fail_when", "pass_when", "not_applicable_when"):
            if key in row:
                self.predicate(scope, row[key])
        if self.strict:
            self.remedy(row)
        self.judging = False
        for value in row.get("evidence", {}).values():
            self.expression(scope, value)
        self.judging = True

    def run(self):
        self.services()
        scopes = {}
        for name, row in self.document["resources"].items():
            self.where = f"resources.{name}"
            scopes[name] = self.resource(row)
        for name, row in self.document["checks"].items():
            self.where = f"checks.{name}"
            self.check(row, scopes[row["resource"]])
        return self.faults


class Unwrapped:
    """The list below the element that wraps it."""
    type_name = "list"
    name = "list"
    serialization = {}

    def __init__(self, member):
        self.member = member


class ListOf:
    """A list of documents, as a fan-out gives it."""
    type_name = "list"
    name = "list"

    def __init__(self, member):
        self.member = member


UNMODELLED_CODES = {
    "RecordNotFound", "ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucketPolicy",
}
# Operations newer than the list of IAM actions that we have.
LATER_ACTIONS = set()
# Values newer than botocore's model.
LATER_WORDS = {
    ("organizations", "EffectivePolicyType", "BEDROCK_POLICY"),
}


def iam_actions(cache={}):
    if "actions" not in cache:
        try:
            import cfnlint
            path = os.path.join(os.path.dirname(cfnlint.__file__), "data", "AdditionalSpecs", "Policies.json")
            with open(path) as stream:
                services = json.load(stream)
            cache["actions"] = {name.lower(): {one.lower() for one in row["Actions"]} for name, row in services.items()}
        except (ImportError, OSError, KeyError, ValueError):
            cache["actions"] = None
    return cache["actions"]


def compile_catalogue(compiler, files):
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "catalogue.json")
        subprocess.run([compiler, output] + files, check=True)
        with open(output) as stream:
            return json.load(stream)


def respell(document, old, new):
    remediation = document["checks"]["aws-bedrock-002"]["remediation"]
    remediation["cli"] = remediation["cli"].replace(old, new)


# (what is spoiled, how): each must be found.
PLANTED = [
    ("member of a check", lambda d: d["checks"]["aws-sagemaker-001"]["fail_when"].update(path="describe.RootAcess")),
    ("another document's member", lambda d: d["checks"]["aws-sagemaker-003"]["fail_when"]["any"][0]["all"][0].update(path="describe.KmsKeyId")),
    ("value that the model doesn't have", lambda d: d["checks"]["aws-sagemaker-001"]["fail_when"].update(not_equals="Disable")),
    ("type", lambda d: d["checks"]["aws-sagemaker-001"]["fail_when"].update(not_equals=True)),
    ("URI", lambda d: d["services"]["bedrock"]["operations"]["ListGuardrails"].update(uri="/guardrail")),
    ("method", lambda d: d["services"]["bedrock"]["operations"]["ListGuardrails"].update(method="POST")),
    ("place of an input", lambda d: d["services"]["bedrock"]["operations"]["ListGuardrails"]["query"].pop("maxResults")),
    ("page token", lambda d: d["services"]["sagemaker"]["operations"]["ListEndpoints"]["page"].update(output="nextToken")),
    ("pages left out", lambda d: d["services"]["sagemaker"]["operations"]["ListEndpoints"].pop("page")),
    ("list", lambda d: d["services"]["sagemaker"]["operations"]["ListEndpoints"].update(result="Endpoint")),
    ("required member", lambda d: d["services"]["sagemaker"]["operations"]["DescribeEndpoint"]["required"].append("KmsKeyId")),
    ("required member left out", lambda d: d["services"]["sagemaker"]["operations"]["DescribeEndpoint"]["required"].remove("EndpointStatus")),
    ("operation", lambda d: d["services"]["sagemaker"]["operations"].update(ListNotebooks={})),
    ("target", lambda d: d["services"]["sagemaker"].update(target="Sagemaker")),
    ("signing name", lambda d: d["services"]["bedrock"].update(signing_name="bedrock-control")),
    ("IAM action", lambda d: d["services"]["bedrock"]["operations"]["ListGuardrails"].update(action="bedrock:GetGuardrails")),
    ("region table", lambda d: d["services"]["bedrock"]["regions"].pop()),
    ("input", lambda d: d["resources"]["sagemaker-endpoint"]["steps"]["describe"]["input"].update(Name="x")),
    ("input left out", lambda d: d["resources"]["sagemaker-endpoint"]["steps"]["describe"]["input"].clear()),
    ("path of an input", lambda d: d["resources"]["sagemaker-endpoint"]["steps"]["config"]["input"].update(EndpointConfigName="$describe.ConfigName")),
    ("identity", lambda d: d["resources"]["sagemaker-endpoint"].update(identity="{list.Arn}")),
    ("option of a command", lambda d: respell(d, "--content-policy-config", "--content-policy")),
    ("option left out", lambda d: respell(d, "--name baseline ", "")),
    ("member in a command's JSON", lambda d: respell(d, "inputStrength", "strength")),
    ("operation of a command", lambda d: respell(d, "create-guardrail", "put-guardrail")),
    ("a member said to be required", lambda d: d["checks"]["aws-sagemaker-001"]["fail_when"].update(path="describe.RootAccess!")),
    ("a required member of what may be absent", lambda d: d["predicates"]["invocation-logging-has-destination"]["any"][1].update(
        path="logging.loggingConfig.s3Config.bucketName")),
    ("evidence", lambda d: d["checks"]["aws-sagemaker-002"]["evidence"].update(x="$describe.Subnet")),
]


# … of the test-only catalogue: protocols and levels that the built-in one does not use yet.
PLANTED_MORE = [
    ("wrapped list", lambda d: d["services"]["s3"]["operations"]["ListBuckets"].update(result="Buckets")),
    ("text that XML has instead of a boolean", lambda d: d["checks"]["test-s3-001"]["fail_when"].update(equals=True)),
    ("member of a member of a list", lambda d: d["resources"]["test-bedrock-agent"]["relations"][0].update(object="$details.agent.roleArn")),
    ("element of a fan-out", lambda d: d["resources"]["test-bedrock-agent"]["steps"]["group"]["input"].update(actionGroupId="$each.id")),
    ("body member of a GET", lambda d: d["services"]["bedrock-agent"]["operations"]["ListAgents"].update(method="GET")),
    ("flag that says that there are more pages", lambda d: d["services"]["iam"]["operations"]["ListRoles"]["page"].update(more="Truncated")),
    ("moment that is none", lambda d: d["checks"]["aws-aiiam-001"]["fail_when"]["all"][1]["any"][1].update(path="list.UserName")),
    ("member of the other path", lambda d: d["checks"]["aws-bedrock-021"]["not_applicable_when"].update(path="details.agent.guardrail.id")),
    ("moment of a list's element", lambda d: d["resources"]["test-sagemaker-training-job"]["item"]["required"][3].update(path="TrainingJobArn")),
    ("text that holds no JSON", lambda d: d["services"]["organizations"]["operations"]["DescribeEffectivePolicy"].update(
        json_texts=["EffectivePolicy.LastUpdatedTimestamp"])),
    ("path into a text", lambda d: d["services"]["organizations"]["operations"]["DescribeEffectivePolicy"].pop("json_texts")),
    ("error code", lambda d: d["services"]["kms"]["operations"]["DescribeKey"]["gone"][0].update(code="KeyNotThere")),
]


def main():
    compiler = os.path.join(os.path.abspath(sys.argv[1]), "checks/swp-catalogue-compile")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    builtin_files = sorted(glob.glob(os.path.join(root, "checks/catalogue/*/*.yaml")))
    test_files = sorted(glob.glob(os.path.join(root, "tests/catalogue/aws/*.yaml")))
    builtin = compile_catalogue(compiler, builtin_files)
    faults = Checker(builtin, strict=True).run()
    extended = compile_catalogue(compiler, builtin_files + test_files)
    faults += Checker(extended, strict=False).run()
    for fault in faults:
        print(fault)
    unfound = 0
    for document, strict, planted in ((builtin, True, PLANTED), (extended, False, PLANTED_MORE)):
        for what, spoil in planted:
            spoiled = copy.deepcopy(document)
            spoil(spoiled)
            if not Checker(spoiled, strict=strict).run():
                print(f"a planted fault was not found: {what}")
                unfound += 1
    rows = sum(len(row["operations"]) for row in builtin["services"].values())
    print(f"{rows} operations, {len(builtin['checks'])} checks built in; {len(faults)} faults; {len(PLANTED) + len(PLANTED_MORE)} planted, {unfound} not found")
    return 1 if faults or unfound else 0


if __name__ == "__main__":
    sys.exit(main())
