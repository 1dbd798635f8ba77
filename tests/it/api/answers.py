"""Holds answers of the API against its OpenAPI document: answers.py DOCUMENT ANSWERS

ANSWERS is a JSON list of {"method", "route", "status", "type", "body"}; `body` is null where it is no JSON. Prints what does
not fit, a line each, and ends with 1 if anything was printed."""

import json
import sys

import jsonschema_rs

document = json.load(open(sys.argv[1]))
wrong = []
for answer in json.load(open(sys.argv[2])):
    where = f"{answer['method']} {answer['route']} {answer['status']}"
    responses = document["paths"][answer["route"]][answer["method"]]["responses"]
    response = responses.get(str(answer["status"]), responses["default"])
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].split("/")[-1]]
    # One without content, as 204 has none, is of no type.
    contents = response.get("content", {"": None})
    content = contents.get(answer["type"])
    if answer["type"] not in contents:
        wrong.append(f"{where}: `{answer['type']}` is none of {list(contents)}")
    elif answer["body"] is not None:
        schema = {**content["schema"], "components": document["components"]}
        # OpenAPI's references are to the document's root, which is this schema's now.
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        wrong += [f"{where}: {error.message} at {list(error.instance_path)}" for error in validator.iter_errors(answer["body"])]
print("\n".join(wrong), end="")
sys.exit(bool(wrong))
