"""A thin client of Stakeout's API: a method for each route, answers as they come. Python 3.11; see README.md.

    box = Stakeout("http://dock-box-01:8787", token="…")          # or Stakeout("unix:/run/stakeout/stakeout.sock")
    stream = box.connect("rtsp://10.0.0.21/stream1", label="dock")
    watch = box.subscribe(stream["id"], "Is a person in the yellow zone?", "https://your-app.example/events")
    print(box.stats(watch["id"]))

Only the standard library, but for `messages` and `stream`, which need `websockets`.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit


class Refused(Exception):
    """An answer that isn't 2xx: its status, what is wrong, and what to do about it."""

    def __init__(self, status: int, error: str, hint: str):
        super().__init__(f"{status}: {error}" + (f" ({hint})" if hint else ""))
        self.status, self.error, self.hint = status, error, hint


class Stakeout:
    def __init__(self, address: str, token: str | None = None, timeout_s: float = 10.0):
        """`address` is http(s)://host:port or unix:/path; over TCP a `token` is needed unless the box is this one."""
        self.address, self.token, self.timeout_s = address, token, timeout_s

    # As Trio's stream API has them.

    def connect(self, url: str, label: str | None = None) -> dict:
        """Makes a stream of a camera; its "id" is what `subscribe` takes. A camera that is known is the same stream."""
        return self.post("/streams", url=url, label=label)

    def subscribe(
        self,
        stream_id: str,
        question: str,
        webhook_url: str,
        *,
        confidence_threshold: float | None = None,
        cooldown_seconds: float | None = None,
        metadata: dict | None = None,
        **monitor: Any,
    ) -> dict:
        """Asks `question` of a stream from now on and tells `webhook_url`. What is None is the box's default.

        Asked twice in the same words it is one subscription. `monitor` is what `[[monitor]]` of the configuration has
        beside these: labels=["person"], model="yolox-nano".
        """
        return self.post(
            f"/streams/{quoted(stream_id)}/subscriptions",
            question=question,
            webhook_url=webhook_url,
            confidence_threshold=confidence_threshold,
            cooldown_seconds=cooldown_seconds,
            metadata=metadata,
            **monitor,
        )

    def streams(self) -> dict:
        """{"streams": […]}: every camera."""
        return self.get("/streams")

    def disconnect(self, stream_id: str) -> None:
        """Takes a stream away that `connect` made, once nothing is asked of it any more."""
        self.call("DELETE", f"/streams/{quoted(stream_id)}")

    def subscriptions(self) -> dict:
        """{"subscriptions": […]}, the oldest first."""
        return self.get("/subscriptions")

    def subscription(self, subscription_id: str) -> dict:
        return self.get(f"/subscriptions/{quoted(subscription_id)}")

    def stats(self, subscription_id: str) -> dict:
        """events_24h, delivery_success_rate, dlq_count, avg_latency_ms, p95_latency_ms."""
        return self.get(f"/subscriptions/{quoted(subscription_id)}/stats")

    def failed_events(self, subscription_id: str, limit: int = 100) -> dict:
        """{"failed_events": […]}, the newest first: the bodies, with `error` and `attempts`."""
        return self.get(f"/subscriptions/{quoted(subscription_id)}/failed-events", limit=limit)

    def unsubscribe(self, subscription_id: str) -> None:
        self.call("DELETE", f"/subscriptions/{quoted(subscription_id)}")

    # As VideoDB has them.

    def create_alert(self, event_id: str, callback_url: str | None = None, ws_connection_id: str | None = None) -> dict:
        """Binds a monitor to a webhook, to a WebSocket connection (`stream`), or to both. `event_id` is a monitor's, as
        GET /v1/monitors tells it, or its name. The same words are the same alert: "alert_id"."""
        return self.post("/v1/alerts", event_id=event_id, callback_url=callback_url, ws_connection_id=ws_connection_id)

    def list_alerts(self) -> dict:
        """{"alerts": […]}."""
        return self.get("/v1/alerts")

    def enable_alert(self, alert_id: str) -> Any:
        return self.post(f"/v1/alerts/{quoted(alert_id)}/enable")

    def disable_alert(self, alert_id: str) -> Any:
        return self.post(f"/v1/alerts/{quoted(alert_id)}/disable")

    def delete_alert(self, alert_id: str) -> None:
        self.call("DELETE", f"/v1/alerts/{quoted(alert_id)}")

    # What the box itself tells.

    def status(self) -> dict:
        return self.get("/v1/status")

    def events(self, **which: Any) -> Any:
        """A page of the journal, the oldest first; `after`, `limit`, `monitor` and `type` choose."""
        return self.get("/v1/events", **which)

    def messages(self, *channels: str) -> Iterator[dict]:
        """{"channel", "data"} as they happen, of `alert`, `scene_index` and `status` (all where none is named)."""
        with self.stream(*channels) as stream:
            yield from stream

    def stream(self, *channels: str) -> "Stream":
        """The same as a connection, which has a `connection_id` for `create_alert`: alerts that are bound to it decide which
        ones it gets, whatever the channels.

        At most once: what was said while nobody listened is in `events`. Ends when the box closes the connection, which it
        also does to a listener that is too slow.
        """
        from websockets.sync.client import connect, unix_connect

        path = "/v1/ws" + query({"channels": ",".join(channels) or None})
        headers = self.headers()
        if self.address.startswith("unix:"):
            connection = unix_connect(
                self.address.removeprefix("unix:"), f"ws://stakeout{path}", additional_headers=headers
            )
        else:
            # http becomes ws, https wss.
            connection = connect("ws" + self.address.rstrip("/").removeprefix("http") + path, additional_headers=headers)
        return Stream(connection)

    # What all of the above is made of, for routes that have no method here.

    def get(self, path: str, **parameters: Any) -> Any:
        return self.call("GET", path + query(parameters))

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, {name: value for name, value in body.items() if value is not None})

    def call(self, method: str, path: str, body: dict | None = None) -> Any:
        """The answer's JSON, None where it is empty. Raises `Refused`, and OSError where the box can't be reached."""
        headers = self.headers()
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self.connection()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise refusal(answer.status, said)
        return json.loads(said) if said else None

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def connection(self) -> http.client.HTTPConnection:
        if self.address.startswith("unix:"):
            return UnixConnection(self.address.removeprefix("unix:"), self.timeout_s)
        parts = urlsplit(self.address)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname:
            raise ValueError(f"no address of a box: {self.address!r}; write http://host:port or unix:/path")
        return kinds[parts.scheme](parts.hostname, parts.port, timeout=self.timeout_s)


class Stream:
    """An open WebSocket: `with box.stream("alert") as stream: for message in stream: …`."""

    def __init__(self, connection: Any):
        self.connection = connection
        self.connection_id: str = json.loads(connection.recv())["connection_id"]

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: Any) -> None:
        self.connection.close()

    def __iter__(self) -> Iterator[dict]:
        from websockets.exceptions import ConnectionClosed

        try:
            for message in self.connection:
                yield json.loads(message)
        except ConnectionClosed:
            return


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float):
        super().__init__("stakeout", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def refusal(status: int, said: bytes) -> Refused:
    try:
        told = json.loads(said)
        return Refused(status, told["error"], told.get("hint", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refused(status, said[:200].decode(errors="replace"), "")


def quoted(name: str) -> str:
    return quote(name, safe="")


def query(parameters: dict) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return "?" + urlencode(given, safe=",") if given else ""
