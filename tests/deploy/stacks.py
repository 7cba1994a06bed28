"""The templates of deploy/ as data: loaded, flattened into one template without parameters, translated by SAM."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ROOT = DEPLOY / "template.yaml"
TEMPLATES = (ROOT, *sorted((DEPLOY / "stacks").glob("*.yaml")))
NO_VALUE = {"Ref": "AWS::NoValue"}
LISTS = {"CommaDelimitedList", "List<Number>"}

EVERYTHING = {
    "Environment": "staging",
    "Authorization": "iam",
    "CorsOrigins": "https://one.example.com,https://two.example.com",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    "ProvisionedConcurrency": "2",
    "BackupBucketArn": "arn:aws:s3:::backup",
    "CuratedReadCapacity": "100",
    "CuratedWriteCapacity": "100",
    "ApiLogsRole": "existing",
    "WebhookSecrets": "millrace/webhooks",
    "WebhookSecretsVersion": "0a1b2c3d-0000-0000-0000-0123456789ab",
    "QuickSightPrincipalArn": "arn:aws:quicksight:us-east-1:123456789012:user/default/analyst",
}
"""Parameters that bring in every part that is optional."""

Node = Any
"""What YAML yields: texts, numbers, booleans, lists, dictionaries; intrinsics in their long form."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _intrinsic(loader: _Loader, tag: str, node: yaml.Node) -> Node:
    value: Node
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # the third kind of node
    if tag in {"Ref", "Condition"}:
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def _loaded(path: Path) -> dict[str, Node]:
    with path.open(encoding="utf-8") as file:
        document: dict[str, Node] = yaml.load(file, _Loader)  # a kind of the safe one
    return document


def load(path: Path = ROOT) -> dict[str, Node]:
    """A template as it is written, intrinsics in their long form."""
    return copy.deepcopy(_loaded(path))


@attrs.define
class _Scope:
    """One stack: its template, what its parameters are, and the prefix of its resources in the flat template."""

    path: Path
    prefix: str
    parameters: dict[str, Node]
    template: dict[str, Node]
    children: dict[str, "_Scope"] = attrs.field(factory=dict)

    def holds(self, condition: str) -> bool:
        return bool(self.value(self.template["Conditions"][condition]))

    def present(self) -> Iterator[tuple[str, dict[str, Node]]]:
        """The resources whose condition holds."""
        for name, resource in self.template["Resources"].items():
            if "Condition" not in resource or self.holds(resource["Condition"]):
                yield name, resource

    def value(self, node: Node) -> Node:
        """The node with parameters and conditions resolved; references to resources stay."""
        if isinstance(node, list):
            return [value for item in node if (value := self.value(item)) != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                return self._intrinsic(name, argument)
        return {key: value for key, item in node.items() if (value := self.value(item)) != NO_VALUE}

    def _intrinsic(self, name: str, argument: Node) -> Node:
        match name, argument:
            case "Ref", str():
                return self._ref(argument)
            case "Condition", str():
                return self.holds(argument)
            case "Fn::GetAtt", [resource, attribute]:
                if resource in self.children:
                    child = self.children[resource]
                    return child.value(child.template["Outputs"][attribute.removeprefix("Outputs.")]["Value"])
                return {"Fn::GetAtt": [self.prefix + resource, attribute]}
            case "Fn::If", [condition, yes, no]:
                return self.value(yes if self.holds(condition) else no)
            case "Fn::Equals", [one, other]:
                return str(self.value(one)) == str(self.value(other))
            case "Fn::Not", [inner]:
                return not self.value(inner)
            case "Fn::And", inner:
                return all(map(self.value, inner))
            case "Fn::Or", inner:
                return any(map(self.value, inner))
            case "Fn::Sub", str():
                return self._sub(argument, {})
            case "Fn::Sub", [text, names]:
                return self._sub(text, names)
            case "Fn::Join", [separator, parts]:
                return joined(self.value(parts), separator)
            case "Fn::Split", [separator, text]:
                return self.value(text).split(separator)
            case "Fn::Select", [index, items]:
                return self.value(items)[int(index)]
        raise NotImplementedError(f"{name} {argument!r} in {self.path.name}")

    def _ref(self, name: str) -> Node:
        if name.startswith("AWS::"):
            return {"Ref": name}
        if name in self.parameters:
            value = self.parameters[name]
            if self.template["Parameters"][name]["Type"] in LISTS and isinstance(value, str):
                return [item.strip() for item in value.split(",")]
            return value
        return {"Ref": self.prefix + name}

    def _sub(self, text: str, names: Mapping[str, Node]) -> Node:
        parts = []
        for literal, name in re.findall(r"([^$]+|\$(?!\{))|\$\{([^}]+)\}", text):
            if literal:
                parts.append(literal)
            elif name.startswith("!"):
                parts.append(f"${{{name[1:]}}}")
            elif name in names:
                parts.append(self.value(names[name]))
            elif "." in name:
                parts.append(self._intrinsic("Fn::GetAtt", name.split(".", 1)))
            else:
                parts.append(self._ref(name))
        return joined(parts, "")


def joined(parts: list[Node], separator: str) -> Node:
    """The texts joined, or Fn::Join where a part is known to CloudFormation only."""
    if all(isinstance(part, (str, int)) for part in parts):
        return separator.join(map(str, parts))
    return {"Fn::Join": [separator, parts]}


def _scope(path: Path, prefix: str, given: Mapping[str, Node]) -> _Scope:
    template = load(path)
    declared = template.get("Parameters", {})
    if unknown := set(given) - set(declared):
        raise ValueError(f"{path.name} has no parameters {sorted(unknown)}")
    parameters = {name: given.get(name, declaration.get("Default")) for name, declaration in declared.items()}
    if missing := [name for name, value in parameters.items() if value is None]:
        raise ValueError(f"{path.name} needs parameters {missing}")
    scope = _Scope(path, prefix, parameters, template)
    for name, resource in scope.present():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            properties = resource["Properties"]
            inner = {key: scope.value(value) for key, value in properties.get("Parameters", {}).items()}
            scope.children[name] = _scope(path.parent / properties["TemplateURL"], prefix + name, inner)
    return scope


def _resources(scope: _Scope) -> Iterator[tuple[str, dict[str, Node]]]:
    for name, resource in scope.present():
        if name in scope.children:
            yield from _resources(scope.children[name])
            continue
        flat = {key: scope.value(value) for key, value in resource.items() if key not in {"Condition", "DependsOn"}}
        if depends := resource.get("DependsOn"):
            listed = [depends] if isinstance(depends, str) else depends
            flat["DependsOn"] = [scope.prefix + other for other in listed]
        yield scope.prefix + name, flat


def flattened(**parameters: str) -> dict[str, Node]:
    """All stacks as one SAM template without parameters, conditions and nested stacks.

    A resource of a nested stack is named by both: ``Storage`` + ``RawBucket``. Pseudo parameters (AWS::Region…) and
    references between resources are left to CloudFormation.
    """
    scope = _scope(ROOT, "", parameters)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": scope.value(scope.template["Globals"]),
        "Resources": dict(_resources(scope)),
        "Outputs": scope.value(scope.template["Outputs"]),
    }


def translated(**parameters: str) -> dict[str, Node]:
    """The flat template as plain CloudFormation, translated by SAM; the state machine's definition is in it, and
    the functions' code is named as if it lay in a bucket ``package``.
    """
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    template = flattened(**parameters)
    template["Globals"]["Function"]["CodeUri"] = "s3://package/arm64.zip"
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["Definition"] = json.loads((DEPLOY / properties.pop("DefinitionUri")).read_text("utf-8"))
    managed = {"AWSCodeDeployRoleForLambda": "arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"}
    here = boto3.session.Session(region_name="us-east-1")
    result: dict[str, Node] = Translator(managed, Parser(), boto_session=here).translate(template, parameter_values={})
    return result


def text(node: Node) -> str:
    """A value as one text, with references written as ``${Name}`` and ``${Name.Attribute}``."""
    match node:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(text, parts))
    return str(node)


def of_type(template: dict[str, Node], kind: str) -> dict[str, Node]:
    """The properties of all resources of a type by their logical name."""
    return {name: r.get("Properties", {}) for name, r in template["Resources"].items() if r["Type"] == kind}


def references(node: Node) -> set[str]:
    """The logical names that a node refers to."""
    match node:
        case {"Ref": str(name)}:
            return {name}
        case {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case dict():
            return set().union(*map(references, node.values()))
        case list():
            return set().union(*map(references, node))
    return set()
