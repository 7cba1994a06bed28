"""Metrics that are written, by AWS for the resources of the template and by the functions: what alarms may read."""

from collections.abc import Mapping
from typing import Final

from millrace.entrypoints.lambdas.measures import NAMESPACE, WRITTEN, Measure

from .stacks import Node, of_type, references, text

AWS: Final[Mapping[str, set[str]]] = {
    "AWS/ApiGateway": {"Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"},
    "AWS/Lambda": {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"},
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "NumberOfMessagesSent",
        "NumberOfMessagesReceived",
        "NumberOfMessagesDeleted",
    },
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    },
    "AWS/States": {
        *(f"Executions{end}" for end in ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")),
        "ExecutionTime",
    },
}
"""Metrics that a service writes for every resource with the dimensions below (its developer guide, "Metrics")."""

Found = set[tuple[str, str, frozenset[tuple[str, str]]]]
"""Namespace, name, dimensions."""


def emitted(template: dict[str, Node]) -> Found:
    """Every metric that there is once the template is deployed and used."""
    functions = of_type(template, "AWS::Lambda::Function")
    reading = {
        function["FunctionName"]
        for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values()
        if ".StreamArn" in text(mapping["EventSourceArn"])
        for alias in references(mapping["FunctionName"])
        for name, function in functions.items()
        if alias.startswith(name)
    }
    dimensions = {
        "AWS/ApiGateway": [
            {"ApiName": api["Name"], "Stage": stage["StageName"]}
            for api in of_type(template, "AWS::ApiGateway::RestApi").values()
            for stage in of_type(template, "AWS::ApiGateway::Stage").values()
        ],
        "AWS/Lambda": [{"FunctionName": each["FunctionName"]} for each in functions.values()],
        "AWS/SQS": [{"QueueName": each["QueueName"]} for each in of_type(template, "AWS::SQS::Queue").values()],
        "AWS/DynamoDB": [
            {"TableName": each["TableName"]} for each in of_type(template, "AWS::DynamoDB::Table").values()
        ],
        "AWS/States": [{"StateMachineArn": machine} for machine in machines(template)],
    }
    found = {
        (namespace, metric, frozenset(each.items()))
        for namespace, metrics in AWS.items()
        for metric in metrics
        for each in dimensions[namespace]
    }
    found |= {("AWS/Lambda", "IteratorAge", frozenset({("FunctionName", name)})) for name in reading}
    for properties in functions.values():
        environment = properties["Environment"]["Variables"]["MILLRACE_ENVIRONMENT"]
        service = properties["Handler"].split(".")[-2]
        found |= {
            (NAMESPACE, measure.value, frozenset({("service", service), ("environment", environment)}))
            for measure in Measure
            if service in WRITTEN[measure].services
        }
    return found


def machines(template: dict[str, Node]) -> list[str]:
    """The ARNs of the state machines, as CloudFormation forms them."""
    return [
        f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:stateMachine:{each['StateMachineName']}"
        for each in of_type(template, "AWS::StepFunctions::StateMachine").values()
    ]
