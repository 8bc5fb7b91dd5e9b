"""The peer of `deno task bench serve` and `bench photos`: the same model and the same answers on FastAPI, uvicorn and onnxruntime.

Usage: python fastapi_server.py MODEL.onnx PORT
"""

import io
import json
import sys

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI, Request

try:
    from PIL import Image
except ImportError:
    Image = None

model, port = sys.argv[1], int(sys.argv[2])
options = ort.SessionOptions()
# One thread, as the others have: on small inputs more are slower.
options.intra_op_num_threads = 1
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta()
labels = json.loads(metadata.custom_metadata_map["selvedge.labels"])
_, channels, height, width = session.get_inputs()[0].shape
app = FastAPI()


def classify(pixels):
    images = pixels.reshape(-1, channels, height, width).astype(np.float32) / 255
    (probabilities,) = session.run(["probabilities"], {"image": images})
    predictions = []
    for row in probabilities:
        top = [
            {"label": labels[i], "class_index": int(i), "score": float(row[i])} for i in np.argsort(-row)
        ]
        predictions.append({**top[0], "top": top})
    return {"model": {"name": metadata.graph_name}, "predictions": predictions}


@app.get("/livez")
async def livez():
    return {"status": "ok"}


@app.post("/v1/classify")
async def answer(request: Request):
    body = await request.body()
    kind = request.headers["content-type"]
    if kind == "application/json":
        return classify(np.array(json.loads(body)["pixels"]))
    if kind == "image/png":
        return classify(np.asarray(Image.open(io.BytesIO(body)).convert("L")))
    if kind == "image/jpeg":
        image = Image.open(io.BytesIO(body))
        # Pillow's own decoding at reduced scale, down to 1.5 times the model's input as the others do it.
        image.draft("RGB", (width * 3 // 2, height * 3 // 2))
        image = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
        return classify(np.asarray(image).transpose(2, 0, 1))
    return classify(np.frombuffer(body, dtype=np.uint8))


# uvicorn takes uvloop and httptools where they are installed.
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
