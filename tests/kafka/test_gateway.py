"""Pictures through the gateway: a real broker, a real model, a real store, and the gateway as a process."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import cv2
import httpx2
import jsonschema
import numpy as np
import pytest
from confluent_kafka import TopicPartition

from contracts.admin import admin_client
from contracts.answers import Answer, FrameInfo, decode_answer
from contracts.documents import asyncapi, schemas
from contracts.reading import TopicReader
from contracts.settings import Settings
from contracts.topics import CORRECTIONS, FRAMES_UPLOAD
from model.images import decode_jpeg, encode_jpeg, jpeg_size
from tests.kafka.serving import check_problem, client_of, new_key, part, photo, start_gateway
from tests.services import Service, wait_for

VALIDATOR = jsonschema.Draft202012Validator(schemas()["answer.v1.json"])


@pytest.fixture(scope="module")
def _gateway(
    environment: dict[str, str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    yield from start_gateway(environment, free_port, tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def gateway(_gateway: Service, processor: Service) -> Service:
    return _gateway


@pytest.fixture
def http(gateway: Service) -> Iterator[httpx2.Client]:
    with client_of(gateway) as client:
        yield client


def uploads_in(settings: Settings) -> int:
    """Records that were ever appended to the upload topic."""
    reader = admin_client(settings.kafka)
    numbers = range(len(reader.list_topics(FRAMES_UPLOAD.name, timeout=10).topics[FRAMES_UPLOAD.name].partitions))
    places = {TopicPartition(FRAMES_UPLOAD.name, number): _latest() for number in numbers}
    return sum(future.result().offset for future in reader.list_offsets(places).values())


def _latest() -> object:
    from confluent_kafka.admin import OffsetSpec

    return OffsetSpec.latest()


def test_three_pictures_are_answered_and_the_annotated_one_and_the_face_are_pictures(
    http: httpx2.Client, hopper: bytes, collins: bytes, no_face: bytes
) -> None:
    taken = http.post("/v1/images", files=[part(hopper, "h.jpg"), part(collins, "c.jpg"), part(no_face, "n.jpg")])
    assert taken.status_code == 202, taken.text
    items = taken.json()
    assert [item["file"] for item in items] == ["h.jpg", "c.jpg", "n.jpg"]
    assert len({item["id"] for item in items}) == 3
    answers = []
    for item in items:
        found = http.get(item["location"], params={"wait": 20})
        assert found.status_code == 200, found.text
        VALIDATOR.validate(found.json())
        answers.append(decode_answer(found.content))
        assert answers[-1].stream == f"upload/{item['id']}"
    assert [len(answer.faces) for answer in answers] == [1, 1, 0]
    old = answers[0].faces[0]
    assert old.age is not None
    assert old.age.years >= 55
    drawn = http.get(f"{items[0]['location']}/annotated")
    assert drawn.headers["content-type"] == "image/jpeg"
    plain = decode_jpeg(hopper, 10**8)
    assert jpeg_size(drawn.content) == plain.shape[1::-1]
    marked = decode_jpeg(drawn.content, 10**8)
    assert float(np.mean(cv2.absdiff(plain, marked) > 60)) > 0.002, "nothing is drawn"
    face = http.get(f"{items[0]['location']}/faces/0")
    width, height = jpeg_size(face.content)
    assert 0.9 * old.box.width < width / plain.shape[1] < 1.7 * old.box.width
    assert 0.9 * old.box.height < height / plain.shape[0] < 1.7 * old.box.height
    check_problem(http.get(f"{items[0]['location']}/faces/1"), 404, "not_found")
    check_problem(http.get(f"{items[2]['location']}/faces/0"), 404, "not_found")


def test_a_ready_crop_of_a_face_is_answered(http: httpx2.Client, hopper: bytes) -> None:
    (item,) = http.post("/v1/images?wait=20", files=[part(hopper)]).json()
    crop = http.get(f"{item['location']}/faces/0").content
    picture = decode_jpeg(crop, 10**8)
    height, width = picture.shape[:2]
    tight = picture[height // 8 : height - height // 8, width // 8 : width - width // 8]
    for jpeg in (crop, encode_jpeg(np.ascontiguousarray(tight), 95)):
        found = http.post("/v1/faces?wait=20", files=[part(jpeg)])
        assert found.status_code == 200, found.text
        (face,) = found.json()[0]["answer"]["faces"]
        assert face["age"]["years"] >= 50


def test_waiting_gives_the_answers_at_once_and_says_where_the_time_went(http: httpx2.Client, hopper: bytes) -> None:
    found = http.post("/v1/images?wait=20", files=[part(hopper)])
    assert found.status_code == 200, found.text
    (item,) = found.json()
    assert item["status"] == "answered"
    assert len(item["answer"]["faces"]) == 1
    assert found.headers["location"] == f"/v1/images/{item['id']}"
    timing = dict(entry.split(";dur=") for entry in found.headers["server-timing"].split(", "))
    assert set(timing) == {"decode", "publish", "total"}
    assert float(timing["total"]) >= float(timing["decode"]) + float(timing["publish"]) > 0


def test_an_answer_is_pending_until_it_is_there_and_unknown_ids_are_unknown(
    environment: dict[str, str], http: httpx2.Client, processor: Service, hopper: bytes
) -> None:
    processor.stop()
    taken = http.post("/v1/images?wait=0.2", files=[part(hopper)])
    assert taken.status_code == 202
    place = taken.headers["location"]
    pending = http.get(place)
    assert pending.status_code == 202
    assert pending.headers["retry-after"]
    check_problem(http.get(f"{place}/annotated"), 409)
    processor.start()
    assert http.get(place, params={"wait": 30}).status_code == 200
    for unknown in ("0" * 32, "not-an-id", "8f14e45f-ceea-467f-a8d5-000000000000"):
        for path in ("", "/annotated", "/faces/0"):
            check_problem(http.get(f"/v1/images/{unknown}{path}"), 404, "not_found")


def test_the_same_idempotency_key_is_one_record_even_after_a_restart(
    http: httpx2.Client, gateway: Service, settings: Settings, hopper: bytes, collins: bytes, no_face: bytes
) -> None:
    key = {"Idempotency-Key": new_key()}
    files = [part(hopper), part(b"not a picture"), part(collins)]
    before = uploads_in(settings)
    first = http.post("/v1/images?wait=20", files=files, headers=key).json()
    assert [item["status"] for item in first] == ["answered", "refused", "answered"]
    again = http.post("/v1/images", files=files, headers=key).json()
    assert [item["id"] for item in again] == [item["id"] for item in first]
    assert uploads_in(settings) == before + 2
    for other in ([part(hopper)], [part(no_face)], [*files, part(no_face)]):
        check_problem(http.post("/v1/images", files=other, headers=key), 422, "idempotency_key_reused")
    assert uploads_in(settings) == before + 2
    gateway.kill()
    gateway.start()
    assert [item["id"] for item in http.post("/v1/images", files=files, headers=key).json()] == [
        item["id"] for item in first
    ]
    assert uploads_in(settings) == before + 2, "sent a second time after the restart"
    other_key = http.post("/v1/images", files=[part(hopper)], headers={"Idempotency-Key": new_key()}).json()
    assert other_key[0]["id"] != first[0]["id"]
    check_problem(http.post("/v1/images", files=files, headers={"Idempotency-Key": "a b"}), 400)


def test_no_upload_is_lost_when_the_gateway_is_killed_right_after_202(
    http: httpx2.Client, gateway: Service, processor: Service, hopper: bytes
) -> None:
    processor.stop()
    taken = http.post("/v1/images", files=[part(hopper, f"{n}.jpg") for n in range(5)])
    assert taken.status_code == 202
    gateway.kill()
    gateway.start()
    places = [item["location"] for item in taken.json()]
    assert [http.get(place).status_code for place in places] == [202] * 5, "pending, and known again"
    processor.start()
    for place in places:
        found = http.get(place, params={"wait": 30})
        assert found.status_code == 200
        assert len(found.json()["faces"]) == 1


def test_an_old_answer_comes_from_the_store_and_its_picture_is_gone(
    environment: dict[str, str],
    free_port: Callable[[], int],
    tmp_path: Path,
    settings: Settings,
    sink: Service,
    http: httpx2.Client,
    hopper: bytes,
) -> None:
    (item,) = http.post("/v1/images?wait=20", files=[part(hopper)]).json()
    frame: FrameInfo = decode_answer(json.dumps(item["answer"]).encode()).frame
    assert frame.partition is not None
    assert frame.offset is not None
    from sinks.mongo.reading import StoreReader

    reader = StoreReader(settings.mongo)
    wait_for(lambda: reader.find_upload(item["id"]) is not None, 20, "the answer is in the store")
    stored = reader.find_upload(item["id"])
    assert stored is not None
    reader.close()
    # what retention does: everything up to and with this record is deleted
    place = TopicPartition(FRAMES_UPLOAD.name, frame.partition, frame.offset + 1)
    admin = admin_client(settings.kafka)
    for future in admin.delete_records([place]).values():
        future.result(20)
    check_problem(http.get(f"/v1/images/{item['id']}/annotated"), 410, "picture_gone")
    check_problem(http.get(f"/v1/images/{item['id']}/faces/0"), 410, "picture_gone")
    # a gateway that keeps 10 answers has forgotten this one, and finds it in the store
    extra = {"MAIRROR_GATEWAY__ANSWERS": "10"}
    for service in start_gateway(environment, free_port, tmp_path, **extra):
        with client_of(service) as other:
            files = [part(hopper, f"{n}.jpg") for n in range(12)]
            assert other.post("/v1/images?wait=30", files=files).status_code in (200, 202)
            found = other.get(f"/v1/images/{item['id']}")
            assert found.status_code == 200, found.text
            VALIDATOR.validate(found.json())
            assert found.json()["faces"] == item["answer"]["faces"]


def test_a_correction_is_on_its_topic_when_it_is_taken(http: httpx2.Client, settings: Settings, hopper: bytes) -> None:
    (item,) = http.post("/v1/images?wait=20", files=[part(hopper)]).json()
    reader = TopicReader(settings.kafka, [CORRECTIONS.name])
    said = {"face": 0, "true_age": 78, "comment": "she was 78"}
    assert http.post(f"{item['location']}/correction", json=said).status_code == 202
    bodies = [message for message in reader.messages(2) if message.key() == item["id"].encode()]
    reader.close()
    (body,) = [json.loads(message.value() or b"") for message in bodies]
    jsonschema.Draft202012Validator(schemas()["correction.v1.json"]).validate(body)
    assert (body["answer"], body["face"], body["true_age"]) == (item["answer"]["id"], 0, 78)
    check_problem(http.post(f"{item['location']}/correction", json={"face": 4}), 404)
    for wrong in ({"face": -1}, {"face": 0, "true_age": 400}, {}, {"face": 0, "extra": 1}, [1], "x"):
        check_problem(http.post(f"{item['location']}/correction", json=wrong), 422, "invalid_request")
    check_problem(http.post(f"{item['location']}/correction", content=b"x" * 100_000), 413)


def test_two_hundred_photos_of_four_clients_are_all_answered(
    http: httpx2.Client, gateway: Service, hopper: bytes, collins: bytes
) -> None:
    pictures = [photo(picture, 1200, 900, seed) for seed in range(10) for picture in (hopper, collins)]

    def one(number: int) -> int:
        found = http.post("/v1/images?wait=30", files=[part(pictures[number % 20], f"{number}.jpg")])
        place = found.json()[0]["location"]
        answer = found if found.status_code == 200 else http.get(place, params={"wait": 30})
        assert answer.status_code == 200, answer.text
        body = http.get(place).json()
        return len(decode_answer(json.dumps(body).encode()).faces)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(200))) == [1] * 200


def test_streams_their_history_and_the_documents(
    http: httpx2.Client, settings: Settings, sink: Service, processor: Service
) -> None:
    from producers.camera import Play, Replay
    from producers.sample import SampleSource
    from tests.kafka.sending import unique

    stream = unique("gateway")
    begun = datetime.now(UTC)
    Replay(settings, SampleSource(15), Play(stream, "public-domain", seconds=3)).run()
    wait_for(
        lambda: stream in [entry["stream"] for entry in http.get("/v1/streams").json()], 10, "the stream is listed"
    )
    path = f"/v1/streams/{stream}/ages"
    wait_for(lambda: len(http.get(path).json()["answers"]) >= 5, 15, "answers are stored")
    page = http.get(path, params={"limit": 3, "since": begun.isoformat()}).json()
    answers: list[Answer] = [decode_answer(json.dumps(one).encode()) for one in page["answers"]]
    assert [answer.stream for answer in answers] == [stream] * 3
    times = [answer.frame.captured_at for answer in answers]
    assert times == sorted(times, reverse=True)
    older = [decode_answer(json.dumps(one).encode()) for one in http.get(page["next"]).json()["answers"]]
    assert older
    assert max(one.frame.captured_at for one in older) < min(times)
    assert http.get(f"/v1/streams/{stream}").json()["latest"]["stream"] == stream
    assert http.get(path, params={"until": "2020-01-01T00:00:00Z"}).json()["answers"] == []
    check_problem(http.get("/v1/streams/never-seen-here"), 404)
    check_problem(http.get("/v1/streams/Bad%20Name/ages"), 422, "bad_stream_id")
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}):
        check_problem(http.get(path, params=wrong), 422, "invalid_request")


def test_what_the_gateway_says_of_itself(http: httpx2.Client, settings: Settings) -> None:
    info = http.get("/v1/info").json()
    assert info["limits"]["file_bytes"] == settings.upload.max_bytes
    assert [preset["name"] for preset in info["presets"]]
    assert all(preset["terms"] and preset["licences"]["weights"] for preset in info["presets"])
    assert settings.kafka.bootstrap not in json.dumps(info)
    assert "mongodb://" not in json.dumps(info)
    assert http.get("/asyncapi.json").json() == asyncapi()
    for name, schema in schemas().items():
        assert http.get(f"/schemas/{name}").json() == schema
    check_problem(http.get("/schemas/../settings"), 404)
    assert "mairror_http_requests_total" in http.get("/metrics").text
    for page in ("/docs", "/redoc"):
        assert http.get(page).status_code == 200


def test_the_openapi_document_is_whole(http: httpx2.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    components = document["components"]["schemas"]
    for name, schema in components.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name
    refs = [text.split('"')[0] for text in json.dumps(document).split('"$ref": "')[1:]]
    assert refs
    assert {ref.removeprefix("#/components/schemas/") for ref in refs} <= set(components)
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(answer["description"] for one in operations for answer in one["responses"].values())
    described = {(method, path) for path, found in document["paths"].items() for method in found}
    assert ("post", "/v1/images") in described
    assert ("get", "/v1/images/{upload_id}/annotated") in described
    keys = document["components"]["securitySchemes"].values()
    assert {scheme["type"] for scheme in keys} == {"apiKey", "http"}


@pytest.mark.prove
def test_latency_of_a_twelve_megapixel_photo(http: httpx2.Client, hopper: bytes) -> None:
    picture = photo(hopper)
    spent = []
    for _ in range(60):
        begun = time.monotonic()
        assert http.post("/v1/images?wait=20", files=[part(picture)]).status_code == 200
        spent.append((time.monotonic() - begun) * 1000)
    spent.sort()
    print(json.dumps({"p50": round(spent[30]), "p99": round(spent[-1]), "bytes": len(picture)}))
    assert spent[30] <= 150
    assert spent[-1] <= 500
