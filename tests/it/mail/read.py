"""What Python's email package makes of a letter: read.py FILE prints JSON."""

import base64
import email
import email.policy
import email.utils
import json
import sys

with open(sys.argv[1], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.default)
defects = [str(defect) for part in message.walk() for defect in part.defects]
pictures = [part for part in message.walk() if part.get_content_maintype() == "image"]
text = message.get_body(preferencelist=("plain",))
print(json.dumps({
    "defects": defects,
    "subject": message["Subject"],
    "from": message["From"],
    "to": message["To"],
    "id": message["Message-ID"],
    "date": email.utils.parsedate_to_datetime(message["Date"]).isoformat(),
    "headers": message.keys(),
    "text": text.get_content(),
    "pictures": [{
        "type": part.get_content_type(),
        "disposition": part.get_content_disposition(),
        "id": part["Content-ID"],
        "bytes": base64.b64encode(part.get_content()).decode(),
    } for part in pictures],
}))
