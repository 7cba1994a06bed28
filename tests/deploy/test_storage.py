"""What the template keeps data in: tables, buckets, the tables that Athena reads."""

import pytest

from .stacks import EVERYTHING, Node, flattened, of_type, references, text

KEYS = {
    "CuratedEvents": [("eventType", "S"), ("eventTime", "N")],
    "Identities": [("identity", "S")],
    "Views": [("view", "S"), ("row", "S")],
    "Ledger": [("shard", "S"), ("receipt", "S")],
}


@pytest.mark.parametrize("name", KEYS)
def test_each_table_has_the_keys_that_the_adapter_writes(production: dict[str, Node], name: str) -> None:
    [table] = [t for t in of_type(production, "AWS::DynamoDB::Table").values() if t["TableName"] == name]
    types = {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]}
    assert [(item["AttributeName"], types[item["AttributeName"]]) for item in table["KeySchema"]] == KEYS[name]
    assert [item["KeyType"] for item in table["KeySchema"]] == ["HASH", "RANGE"][: len(KEYS[name])]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert str(table["DeletionProtectionEnabled"]).lower() == "true"


def test_the_curated_table_streams_new_images_and_forgets_what_has_expired(production: dict[str, Node]) -> None:
    table = of_type(production, "AWS::DynamoDB::Table")["StorageCuratedTable"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def test_capacity_is_provisioned_where_both_are_given(staging: dict[str, Node]) -> None:
    table = of_type(staging, "AWS::DynamoDB::Table")["StorageCuratedTable"]
    assert table["BillingMode"] == "PROVISIONED"
    assert table["ProvisionedThroughput"] == {"ReadCapacityUnits": "100", "WriteCapacityUnits": "100"}
    alone = flattened(CuratedReadCapacity="100")["Resources"]["StorageCuratedTable"]["Properties"]
    assert alone["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("name", ["StorageRawBucket", "StorageAnalysisBucket"])
def test_buckets_are_versioned_encrypted_and_closed(production: dict[str, Node], name: str) -> None:
    bucket = of_type(production, "AWS::S3::Bucket")[name]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "ServerSideEncryptionByDefault" in str(bucket["BucketEncryption"])
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["LifecycleConfiguration"]["Rules"]
    [policy] = [p for p in of_type(production, "AWS::S3::BucketPolicy").values() if references(p["Bucket"]) == {name}]
    [statement] = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "OnlyOverTls"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {text(resource) for resource in statement["Resource"]} == {f"${{{name}.Arn}}", f"${{{name}.Arn}}/*"}


def test_the_raw_log_never_expires_and_its_bucket_refuses_to_overwrite(production: dict[str, Node]) -> None:
    rules = of_type(production, "AWS::S3::Bucket")["StorageRawBucket"]["LifecycleConfiguration"]["Rules"]
    assert not any({"ExpirationInDays", "ExpirationDate"} & set(rule) for rule in rules)
    classes = {move["StorageClass"] for rule in rules for move in rule.get("Transitions", ())}
    assert classes <= {"STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}  # those that are read without restoring
    policy = of_type(production, "AWS::S3::BucketPolicy")["StorageRawBucketPolicy"]["PolicyDocument"]
    [statement] = [s for s in policy["Statement"] if s["Sid"] == "NeverOverwritten"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:PutObject")
    assert statement["Condition"]["Null"] == {"s3:if-none-match": "true"}


def test_the_raw_log_is_replicated_where_a_bucket_is_given(
    production: dict[str, Node], staging: dict[str, Node]
) -> None:
    assert "ReplicationConfiguration" not in of_type(production, "AWS::S3::Bucket")["StorageRawBucket"]
    replication = of_type(staging, "AWS::S3::Bucket")["StorageRawBucket"]["ReplicationConfiguration"]
    [rule] = replication["Rules"]
    assert (rule["Status"], rule["Destination"]["Bucket"]) == ("Enabled", EVERYTHING["BackupBucketArn"])
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}  # a deletion here is none there


def test_what_is_kept_outlives_the_stack(production: dict[str, Node]) -> None:
    for name, resource in production["Resources"].items():
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue"):
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
            assert resource["UpdateReplacePolicy"] == "Retain", name


def test_archived_events_are_found_by_type_and_day_without_a_crawler(production: dict[str, Node]) -> None:
    tables = {t["TableInput"]["Name"]: t["TableInput"] for t in of_type(production, "AWS::Glue::Table").values()}
    assert set(tables) == {"curated_events", "curated_events_by_type", "dead_letters"}
    for table in tables.values():
        parameters = table["Parameters"]
        assert parameters["projection.enabled"] == "true"
        for key in table["PartitionKeys"]:
            assert f"projection.{key['Name']}.type" in parameters
            assert f"{key['Name']}=${{{key['Name']}}}" in text(parameters["storage.location.template"])
    keys = [key["Name"] for key in tables["curated_events_by_type"]["PartitionKeys"]]
    assert sorted(keys) == ["day", "type"]


def test_columns_and_partitions_of_a_table_have_names_of_their_own(production: dict[str, Node]) -> None:
    for table in of_type(production, "AWS::Glue::Table").values():
        columns = [*table["TableInput"]["StorageDescriptor"]["Columns"], *table["TableInput"]["PartitionKeys"]]
        names = [column["Name"] for column in columns]
        assert len(set(names)) == len(names)
        assert all(name == name.lower() for name in names)


def test_queries_are_limited_and_their_results_encrypted(production: dict[str, Node]) -> None:
    [workgroup] = of_type(production, "AWS::Athena::WorkGroup").values()
    configuration = workgroup["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert int(configuration["BytesScannedCutoffPerQuery"]) > 0
    assert "EncryptionConfiguration" in configuration["ResultConfiguration"]


def test_quicksight_comes_only_with_a_principal(production: dict[str, Node], staging: dict[str, Node]) -> None:
    kinds = {"DataSource", "DataSet", "Dashboard"}
    assert not any(of_type(production, f"AWS::QuickSight::{kind}") for kind in kinds)
    assert all(of_type(staging, f"AWS::QuickSight::{kind}") for kind in kinds)
