"""A client of AIOZ Stream's webhooks, in the shape of its published ones (for Node and for Go).

It reads orders (`[method, arguments…]`, a line each) and prints what came of each: the answer as its models have it, or the
error with its code. Its headers, paths and verbs are those that the published clients send.
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

MODEL = {
    "id": str, "user_id": str, "name": str, "url": str, "created_at": str, "updated_at": str, "last_triggered_at": str,
    "file_received": bool, "encoding_started": bool, "partial_finished": bool, "encoding_finished": bool,
    "encoding_failed": bool,
}


class StreamError(Exception):
    def __init__(self, code, details):
        super().__init__(details.get("message") or "StreamError")
        self.code, self.details = code, details


class StreamClient:
    def __init__(self, base_uri, public_key="", secret_key="", bearer_token=""):
        self.base_uri = base_uri.rstrip("/")
        pair = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
        self.headers = {
            "Accept": "application/json, */*;q=0.8",
            "Authorization": f"Bearer {bearer_token}" if bearer_token else f"Basic {pair}" if secret_key else "",
            "stream-public-key": public_key,
            "stream-secret-key": secret_key,
        }
        self.webhook = WebhookApi(self)

    def call(self, method, path, body=None, query=None):
        url = f"{self.base_uri}/{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise StreamError(error.code, json.load(error)) from None
        assert answer["status"] == "success", answer
        return answer


class WebhookApi:
    def __init__(self, client):
        self.call = client.call

    def create(self, request):
        return webhook(self.call("POST", "webhooks", request)["data"]["webhook"])

    def get(self, id):
        return webhook(self.call("GET", f"webhooks/{urllib.parse.quote(id, safe='')}")["data"]["webhook"])

    def update(self, id, request):
        return self.call("PATCH", f"webhooks/{urllib.parse.quote(id, safe='')}", request)["message"]

    def delete(self, id):
        return self.call("DELETE", f"webhooks/{urllib.parse.quote(id, safe='')}")["message"]

    def list(self, query):
        data = self.call("GET", "webhooks", query=query)["data"]
        return {"webhooks": [webhook(one) for one in data["webhooks"]], "total": data["total"]}

    def check(self, id):
        return self.call("POST", f"webhooks/check/{urllib.parse.quote(id, safe='')}")["message"]


def webhook(answer):
    """As the model has it: everything there, and of its type; only what never happened is null."""
    for key, kind in MODEL.items():
        assert isinstance(answer[key], kind) or (key == "last_triggered_at" and answer[key] is None), (key, answer)
    return {key: answer[key] for key in MODEL}


def main(base_uri, *keys):
    client = StreamClient(base_uri, *keys)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            told = {"answer": getattr(client.webhook, method)(*arguments)}
        except StreamError as error:
            told = {"code": error.code, "message": str(error), "details": error.details}
        print(json.dumps(told), flush=True)


main(*sys.argv[1:])
