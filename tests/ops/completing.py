"""What moto's CloudFormation leaves out of the stack, made by the services' own calls: API, versions, alarms.

The properties are those of the translated template; moto's stack then gets the outputs that tell of it.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import attrs
import botocore.loaders
from moto import mock_aws
from moto.cloudwatch.models import Statistics, cloudwatch_backends

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.stack import stack_outputs
from tests.aws.opened import SURROUNDINGS
from tests.deploy.stacks import Node, of_type, translated

from .standing import Stand, standing

ACCOUNT = "123456789012"
VERSIONS = 2
"""How many versions each function has; the alias ``prod`` is at the last."""

_ELSEWHERE = "ap-southeast-2"
_OF_METRIC_ALARMS = (
    "namespace",
    "metric_name",
    "comparison_operator",
    "evaluation_periods",
    "period",
    "threshold",
    "statistic",
)


@contextmanager
def completed(environment: str) -> Iterator[Stand]:
    """A mocked account with the stack of that environment, complete, for as long as the block lasts."""
    with quick(), _same_clients(), percentiles(), standing(environment) as [stand]:
        complete(stand.clients, stand.stack.name, Environment=environment)
        outputs = stack_outputs(stand.clients, stand.stack.name)
        yield attrs.evolve(stand, stack=attrs.evolve(stand.stack, outputs=outputs))


@contextmanager
def nothing_there() -> Iterator[None]:
    """A region with nothing in it, also within a mocked account that has a stack, for as long as the block lasts."""
    elsewhere = {**SURROUNDINGS, "AWS_REGION": _ELSEWHERE, "AWS_DEFAULT_REGION": _ELSEWHERE}
    with quick(), _same_clients(), patch.dict(os.environ, elsewhere), mock_aws():
        yield


@contextmanager
def percentiles() -> Iterator[None]:
    """Moto answers for the statistics p50, p95…, too: of single values, the smallest that so many do not exceed."""
    known = Statistics.get_statistics_for_type

    def statistic(found: Statistics, name: str) -> Any:
        if not name.startswith("p"):
            return known(found, name)
        values = sorted(found.metric_single_values_list)
        return values[max(math.ceil(len(values) * float(name[1:]) / 100) - 1, 0)]

    with patch.object(Statistics, "get_statistics_for_type", statistic):
        yield


@contextmanager
def quick() -> Iterator[None]:
    """Every session shares the descriptions of the services: reading them is most of a command's time."""
    loader = botocore.loaders.create_loader()
    with patch.object(botocore.loaders, "create_loader", lambda *_: loader):
        yield


@contextmanager
def _same_clients() -> Iterator[None]:
    """Every command has the clients of the one before: making them is much of its time, too."""
    make, made = Clients._make, dict[tuple[str | None, str], Any]()

    def kept(clients: Clients, service: str) -> Any:
        key = clients.region, service
        if key not in made:
            made[key] = make(clients, service)
        return made[key]

    with patch.object(Clients, "_make", kept):
        yield


def complete(clients: Clients, stack: str, **parameters: str) -> None:
    """Make it, for a stack that was deployed with these parameters of the template."""
    work = _Work(clients, stack, translated(**parameters))
    work.publish()
    outputs = work.open_api()
    work.map_sources()
    work.watch()
    work.tell(outputs)


@attrs.define
class _Work:
    clients: Clients
    stack: str
    template: dict[str, Node]
    _physical: dict[str, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        made = self.clients.get("cloudformation").describe_stack_resources(StackName=self.stack)["StackResources"]
        self._physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made}
        self._physical |= {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": self.clients.region or "",
        }

    def value(self, node: Node) -> Node:
        """The node as CloudFormation evaluates it."""
        match node:
            case {"Ref": str(name)} if name in self._physical:
                return self._physical[name]
            case {"Ref": str(name)}:
                return self._unmade(name)
            case {"Fn::GetAtt": [str(name), "Version"]}:
                return str(VERSIONS)
            case {"Fn::GetAtt": [str(name), "Arn"]} if name in self._physical:
                return f"arn:aws:sqs:{self.clients.region}:{ACCOUNT}:{self._physical[name].rpartition('/')[2]}"
            case {"Fn::GetAtt": [str(name), "StreamArn"]}:
                table = self.clients.get("dynamodb").describe_table(TableName=self._physical[name])
                return table["Table"]["LatestStreamArn"]
            case {"Fn::Join": [str(separator), parts]}:
                return separator.join(self.value(part) for part in parts)
            case dict():
                return {key: self.value(item) for key, item in node.items()}
            case list():
                return [self.value(item) for item in node]
        return node

    def _unmade(self, name: str) -> Node:
        """What a reference to a resource means that CloudFormation has not made."""
        resource = self.template["Resources"][name]
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm":
                return self.value(properties["AlarmName"])
            case "AWS::Lambda::Alias":
                function = self._physical[properties["FunctionName"]["Ref"]]
                return f"arn:aws:lambda:{self.clients.region}:{ACCOUNT}:function:{function}:{properties['Name']}"
        raise NotImplementedError(f"{resource['Type']} {name}")

    def publish(self) -> None:
        """Versions of each function, and the alias at the last."""
        functions = self.clients.get("lambda")
        for alias in of_type(self.template, "AWS::Lambda::Alias").values():
            name = self.value(alias["FunctionName"])
            for number in range(1, VERSIONS + 1):
                functions.update_function_configuration(FunctionName=name, Description=f"version {number}")
                functions.publish_version(FunctionName=name)
            functions.create_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=str(VERSIONS))

    def open_api(self) -> dict[str, str]:
        """The API with its stage, key and usage plan; returns the outputs that tell of it."""
        gateway = self.clients.get("apigateway")
        [described] = of_type(self.template, "AWS::ApiGateway::RestApi").values()
        api = gateway.create_rest_api(name=described["Body"]["info"]["title"])["id"]
        [root] = gateway.get_resources(restApiId=api)["items"]
        made = {"": root["id"]}
        for path, operations in described["Body"]["paths"].items():
            resource = self._resource(made, path, api)
            for verb, operation in operations.items():
                integration = operation["x-amazon-apigateway-integration"]
                method = "ANY" if verb == "x-amazon-apigateway-any-method" else verb.upper()
                place = {"restApiId": api, "resourceId": resource, "httpMethod": method}
                gateway.put_method(**place, authorizationType="NONE")
                uri = self.value(integration["uri"])
                gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        [stage] = of_type(self.template, "AWS::ApiGateway::Stage").values()
        deployment = gateway.create_deployment(restApiId=api)["id"]
        gateway.create_stage(
            restApiId=api, stageName=stage["StageName"], deploymentId=deployment, tracingEnabled=stage["TracingEnabled"]
        )
        for settings in stage["MethodSettings"]:
            self._set(api, stage["StageName"], settings)
        outputs = {"ApiUrl": f"https://{api}.execute-api.{self.clients.region}.amazonaws.com/{stage['StageName']}"}
        return outputs | self._limit(api, stage["StageName"])

    def _resource(self, made: dict[str, str], path: str, api: str) -> str:
        if path not in made:
            above, _, part = path.rpartition("/")
            parent = self._resource(made, above, api)
            answer = self.clients.get("apigateway").create_resource(restApiId=api, parentId=parent, pathPart=part)
            made[path] = answer["id"]
        return made[path]

    def _set(self, api: str, stage: str, settings: Mapping[str, Any]) -> None:
        # The path of a method's settings, with its slashes escaped (API Gateway, "Patch operations").
        path = "*" if settings["ResourcePath"] == "/*" else settings["ResourcePath"].replace("/", "~1")
        place = f"/{path}/{settings['HttpMethod']}"
        limits = {"rateLimit": settings["ThrottlingRateLimit"], "burstLimit": settings["ThrottlingBurstLimit"]}
        patches = [
            {"op": "replace", "path": f"{place}/throttling/{name}", "value": str(limit)}
            for name, limit in limits.items()
        ]
        self.clients.get("apigateway").update_stage(restApiId=api, stageName=stage, patchOperations=patches)

    def _limit(self, api: str, stage: str) -> dict[str, str]:
        gateway = self.clients.get("apigateway")
        [plan] = of_type(self.template, "AWS::ApiGateway::UsagePlan").values()
        [key] = of_type(self.template, "AWS::ApiGateway::ApiKey").values()

        def limits(throttle: Mapping[str, float]) -> dict[str, float]:
            return {"rateLimit": throttle["RateLimit"], "burstLimit": throttle["BurstLimit"]}

        [staged] = plan["ApiStages"]
        throttles = {method: limits(throttle) for method, throttle in staged["Throttle"].items()}
        made = gateway.create_usage_plan(
            name=plan["UsagePlanName"],
            throttle=limits(plan["Throttle"]),
            apiStages=[{"apiId": api, "stage": stage, "throttle": throttles}],
        )["id"]
        secret = gateway.create_api_key(name=key["Name"], enabled=True)["id"]
        gateway.create_usage_plan_key(usagePlanId=made, keyId=secret, keyType="API_KEY")
        return {"ApiKeyId": secret, "UsagePlanId": made}

    def map_sources(self) -> None:
        """The event source mappings, listed and enabled, but at rest: moto would invoke functions by them, in Docker,
        as soon as anything is sent.
        """
        from moto.awslambda.models import lambda_backends
        from moto.dynamodb.models import dynamodb_backends
        from moto.sqs.models import sqs_backends

        region = self.clients.region or ""
        for mapping in of_type(self.template, "AWS::Lambda::EventSourceMapping").values():
            properties = self.value(mapping)
            made = self.clients.get("lambda").create_event_source_mapping(**properties)
            kept = lambda_backends[ACCOUNT][region].get_event_source_mapping(made["UUID"])
            assert kept is not None
            kept.function_arn = properties["FunctionName"]  # moto makes a version of the alias
        for queue in sqs_backends[ACCOUNT][region].queues.values():
            queue.lambda_event_source_mappings.clear()
        for table in dynamodb_backends[ACCOUNT][region].tables.values():
            table.lambda_event_source_mappings.clear()

    def watch(self) -> None:
        """The alarms, metric and composite, all of them OK; moto evaluates none, so that they stay as they are set."""
        for alarm in of_type(self.template, "AWS::CloudWatch::Alarm").values():
            self.clients.get("cloudwatch").put_metric_alarm(**self.value(alarm))
        backend = cloudwatch_backends[ACCOUNT][self.clients.region or ""]
        absent: Any = None
        for alarm in of_type(self.template, "AWS::CloudWatch::CompositeAlarm").values():
            properties = self.value(alarm)
            backend.put_metric_alarm(  # moto lists composite alarms, but has no call that makes one
                name=properties["AlarmName"],
                rule=properties["AlarmRule"],
                description=properties["AlarmDescription"],
                alarm_actions=properties.get("AlarmActions", []),
                dimensions=[],
                **dict.fromkeys(_OF_METRIC_ALARMS, absent),
            )

    def tell(self, outputs: Mapping[str, str]) -> None:
        """Add outputs to the stack."""
        cloudformation = self.clients.get("cloudformation")
        template = cloudformation.get_template(StackName=self.stack)["TemplateBody"]
        body = json.loads(template) if isinstance(template, str) else dict(template)
        body["Outputs"] |= {name: {"Value": value} for name, value in outputs.items()}
        cloudformation.update_stack(
            StackName=self.stack, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
