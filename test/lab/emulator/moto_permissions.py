# SPDX-License-Identifier: MPL-2.0
"""What moto lacks of permissions: signatures of lists, and how SSM refuses a request."""
from urllib.parse import parse_qsl, quote, urlencode

from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMRequest, S3IAMRequest


def with_encoded_query(create_request):
    """moto has decoded the query by then, and the client has signed it as it was."""

    def create(self):
        path, mark, query = self._path.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        self._path = path + mark + urlencode(pairs, quote_via=quote, safe="~")
        return create_request(self)

    return create


def as_json(raise_access_denied):
    """moto refuses in XML, which clients of SSM cannot read."""

    def refuse(self):
        if self._service != "ssm":
            return raise_access_denied(self)
        who, action = self._access_key.arn, self._action
        message = f"User: {who} is not authorized to perform: {action}"
        raise JsonRESTError("AccessDeniedException", message)

    return refuse


def extend_permissions():
    S3IAMRequest._create_aws_request = with_encoded_query(S3IAMRequest._create_aws_request)
    IAMRequest._raise_access_denied = as_json(IAMRequest._raise_access_denied)
