"""The stack as the template says: its resources created by moto's CloudFormation, its wiring evaluated there.

The template is the real one, nested stacks and all, translated by SAM (``tests.deploy.stacks``). What moto cannot
create is left out, save what the tests do themselves: routes of the API and event source mappings are read from the
template and evaluated, so that what is wired wrongly there is wired wrongly here.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import botocore.session

from millrace.adapters.aws.store import Resources
from tests.deploy.stacks import translated

from ..opened import REGION

KEPT = {
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::StepFunctions::StateMachine",
}
"""The types that are created. An event source mapping would make moto invoke functions itself, in Docker."""

OF_THE_API = {"ApiUrl", "ApiKeyId", "UsagePlanId"}
"""The outputs that are not there, since the API is not created."""

Node = Any


@attrs.frozen
class FunctionSpec:
    """A function as it was deployed; ``arn`` is its alias's."""

    name: str
    arn: str
    handler: str
    environment: Mapping[str, str]


@attrs.frozen
class Route:
    """A path and method of the API ("ANY" for all) and the ARN of the function that answers it."""

    path: str
    method: str
    function_arn: str

    @property
    def pattern(self) -> "re.Pattern[str]":
        """What the path matches; its parameters are the groups."""
        parts = re.split(r"\{(\w+)(\+?)\}", self.path)
        pattern = re.escape(parts[0])
        for name, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            pattern += f"(?P<{name}>{'.+' if greedy else '[^/]+'}){re.escape(literal)}"
        return re.compile(pattern)


@attrs.frozen
class Stack:
    """What was deployed. ``mappings`` are event source mappings, as in CloudFormation, evaluated."""

    outputs: Mapping[str, str]
    functions: Sequence[FunctionSpec]
    routes: Sequence[Route]
    mappings: Sequence[Mapping[str, Any]]
    schedules: Sequence[Mapping[str, Any]]

    @property
    def resources(self) -> Resources:
        """What the adapters need to know of it."""
        return Resources(**{name: self.outputs[name.title().replace("_", "")] for name in attrs.fields_dict(Resources)})

    def function(self, name: str) -> FunctionSpec:
        """The function that a name, an ARN or an ARN with alias means."""
        plain = name.split(":")[6] if name.startswith("arn:") else name.partition(":")[0]
        return next(function for function in self.functions if function.name == plain)

    def mapping(self, service: str) -> Mapping[str, Any]:
        """The event source mapping of that service's source: "sqs", "dynamodb"."""
        return next(one for one in self.mappings if one["EventSourceArn"].split(":")[2] == service)


def client(service: str, endpoint: str | None) -> Any:
    """A client of the tests' own; without an endpoint one for moto's in-process mock."""
    session = botocore.session.Session()
    return session.create_client(
        service, REGION, endpoint_url=endpoint, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def deploy(endpoint: str | None, *, name: str = "millrace", **parameters: str) -> Stack:
    """Create the stack in moto, with the template's parameters."""
    template = _with_aliases_named(translated(**parameters))
    resources = template["Resources"]
    asked = _Asked()
    routes = asked.of([*_routes(resources)])
    mappings = asked.of(_properties(resources, "AWS::Lambda::EventSourceMapping"))
    schedules = asked.of(_properties(resources, "AWS::Events::Rule"))
    machine = asked.of(_properties(resources, "AWS::StepFunctions::StateMachine"))
    aliases = asked.of([*_aliases(resources).values()])
    outputs = {key: output for key, output in template["Outputs"].items() if key not in OF_THE_API}
    created = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {key: resource for key, resource in resources.items() if resource["Type"] in KEPT},
        "Outputs": {**outputs, **asked.outputs},
    }
    _upload_nothing(endpoint)
    cloudformation = client("cloudformation", endpoint)
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(created), Capabilities=["CAPABILITY_NAMED_IAM"])
    description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert description["StackStatus"] == "CREATE_COMPLETE", description
    values = {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
    for properties in asked.answered(machine, values):
        _create_machine(endpoint, properties)
    return Stack(
        outputs={key: values[key] for key in outputs},
        functions=[*_functions(endpoint, asked.answered(aliases, values))],
        routes=[Route(path, method, uri.split("/")[-2]) for path, method, uri in asked.answered(routes, values)],
        mappings=asked.answered(mappings, values),
        schedules=asked.answered(schedules, values),
    )


class _Asked:
    """Intrinsics that CloudFormation is to evaluate: each becomes an output of the stack."""

    def __init__(self) -> None:
        self.outputs: dict[str, Node] = {}
        self._keys: dict[str, str] = {}

    def of(self, node: Node) -> Node:
        """Ask for everything within the node; returns it unchanged."""
        if _is_intrinsic(node):
            key = self._keys.setdefault(json.dumps(node), f"Asked{len(self._keys)}")
            self.outputs[key] = {"Value": node}
        elif isinstance(node, dict | list):
            for item in node.values() if isinstance(node, dict) else node:
                self.of(item)
        return node

    def answered(self, node: Node, values: Mapping[str, str]) -> Node:
        """The node with the outputs' values in it."""
        if _is_intrinsic(node):
            return values[self._keys[json.dumps(node)]]
        if isinstance(node, dict):
            return {key: self.answered(item, values) for key, item in node.items()}
        return [self.answered(item, values) for item in node] if isinstance(node, list) else node


def _is_intrinsic(node: Node) -> bool:
    return isinstance(node, dict) and len(node) == 1 and all(key == "Ref" or key.startswith("Fn::") for key in node)


def _properties(resources: Mapping[str, Node], kind: str) -> list[Node]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def _routes(resources: Mapping[str, Node]) -> list[list[Node]]:
    routes = []
    for api in _properties(resources, "AWS::ApiGateway::RestApi"):
        for path, methods in api["Body"]["paths"].items():
            for method, operation in methods.items():
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                routes.append([path, verb, operation["x-amazon-apigateway-integration"]["uri"]])
    return routes


def _with_aliases_named(template: dict[str, Node]) -> dict[str, Node]:
    """The template with each reference to an alias, which moto's CloudFormation does not know, as the ARN it is."""
    arns = _aliases(template["Resources"])

    def named(node: Node) -> Node:
        if isinstance(node, dict):
            if len(node) == 1 and node.get("Ref") in arns:
                return arns[node["Ref"]]
            return {key: named(item) for key, item in node.items()}
        return [*map(named, node)] if isinstance(node, list) else node

    result: dict[str, Node] = named(template)
    return result


def _aliases(resources: Mapping[str, Node]) -> dict[str, Node]:
    """The ARN of each alias, by its name in the template."""
    return {
        key: {"Fn::Join": [":", [{"Fn::GetAtt": [alias["FunctionName"]["Ref"], "Arn"]}, alias["Name"]]]}
        for key, alias in ((key, resource["Properties"]) for key, resource in resources.items())
        if resources[key]["Type"] == "AWS::Lambda::Alias"
    }


def _upload_nothing(endpoint: str | None) -> None:
    """Functions need code to be created; what runs is not this."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("nothing.py", "")
    s3 = client("s3", endpoint)
    if all(bucket["Name"] != "package" for bucket in s3.list_buckets()["Buckets"]):  # of an earlier stack
        s3.create_bucket(Bucket="package", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="package", Key="arm64.zip", Body=archive.getvalue())


def _create_machine(endpoint: str | None, properties: Mapping[str, Any]) -> None:
    """Moto's CloudFormation makes substitutions in no definition, and its machines are not those that it executes."""
    definition = properties["DefinitionString"]
    for key, value in properties["DefinitionSubstitutions"].items():
        definition = definition.replace(f"${{{key}}}", value)
    assert "${" not in definition, "a substitution is missing"
    client("stepfunctions", endpoint).create_state_machine(
        name=properties["StateMachineName"],
        definition=definition,
        roleArn=properties["RoleArn"],
        type=properties["StateMachineType"],
    )


def _functions(endpoint: str | None, aliases: Sequence[str]) -> list[FunctionSpec]:
    known = {function["FunctionArn"]: function for function in client("lambda", endpoint).list_functions()["Functions"]}
    functions = []
    for alias in aliases:
        function = known[alias.rpartition(":")[0]]
        variables = {key: str(value) for key, value in function["Environment"]["Variables"].items()}
        functions.append(FunctionSpec(function["FunctionName"], alias, function["Handler"], variables))
    return functions
