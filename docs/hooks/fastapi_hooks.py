# The back end of hooks in FastAPI: FANFARE_SECRET=… uvicorn fastapi_hooks:app --port 8000

import hashlib
import hmac
import json
import os
import re
import time

from fastapi import FastAPI, Request, Response

app = FastAPI()
SECRET = os.environ["FANFARE_SECRET"].encode()


def user_of(request: Request):
    """Whose session the cookie names. A real application asks its session store."""
    found = re.fullmatch(r"user-(\w+)", request.cookies.get("session", ""))
    return found and found[1]


def answer(asked: dict, request: Request) -> dict:
    hook = asked["hook"]
    if hook == "connect":
        user = user_of(request)
        if user is None:
            return {"refuse": {"message": "Log in first."}}
        return {"user": {"id": user}, "meta": {"plan": "pro"}, "cache_s": 60, "token": True}
    if hook == "subscribe":
        if asked["channel"] == f"private-orders.{asked['user']['id']}":
            return {}
        return {"refuse": {"code": "not_yours", "message": "That is not yours."}}
    if hook == "publish":
        return {"drop": True} if "spam" in json.dumps(asked["payload"]) else {}
    if hook == "call":
        return {"result": {"plan": asked["connection"]["meta"]["plan"], "of": asked["user"]["id"]}}
    return {}


@app.post("/fanfare")
async def fanfare(request: Request):
    body = await request.body()
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-pusher-signature", "")):
        return Response(status_code=401)
    asked = json.loads(body)
    # An old question may have been recorded by somebody, and sent again.
    if abs(time.time() - asked["time_ms"] / 1000) > 300:
        return Response(status_code=401)
    return answer(asked, request)
