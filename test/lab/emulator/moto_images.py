# SPDX-License-Identifier: MPL-2.0
"""What moto lacks of AMIs: to deprecate and disable them, and to share the snapshots of one.

Everything belongs to one account, so what EC2 hides from others only is not hidden here.
"""
from datetime import datetime, timedelta, timezone

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, UnvailableAMIIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.elastic_block_store import ElasticBlockStore


def own_image(response):
    """Returns the AMI that a request is about. Nobody else's can be changed, or read in full."""
    backend, image_id = response.ec2_backend, response._get_param("ImageId")
    if image_id not in backend.amis:
        raise InvalidAMIIdError(image_id)
    image = backend.amis[image_id]
    if image.owner_id != backend.account_id:
        raise EC2ClientError("AuthFailure", f"Not authorized for image:{image_id}")
    return image


def enable_image_deprecation(self):
    image, at = own_image(self), self._get_param("DeprecateAt")
    if not isinstance(at, datetime):
        at = datetime.fromisoformat(at.replace("Z", "+00:00"))
    at = at.replace(tzinfo=at.tzinfo or timezone.utc).astimezone(timezone.utc)
    at = (at + timedelta(seconds=30)).replace(second=0, microsecond=0)
    if at < datetime.now(timezone.utc):
        raise EC2ClientError("InvalidParameter", "The deprecation time is in the past")
    image.deprecation_time = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return ActionResult({"Return": True})


def disable_image_deprecation(self):
    own_image(self).deprecation_time = None
    return ActionResult({"Return": True})


def disable_image(self):
    image = own_image(self)
    image.state = "disabled"
    image.launch_permissions.clear()
    return ActionResult({"Return": True})


def enable_image(self):
    own_image(self).state = "available"
    return ActionResult({"Return": True})


def of_own_image(action):
    def checked(self):
        own_image(self)
        return action(self)

    return checked


def without_disabled(describe_images):
    def described(self):
        result = describe_images(self)
        if str(self._get_param("IncludeDisabled")).lower() == "true":
            return result
        images = result.result["Images"]
        shown = [image for image in images if image.state != "disabled"]
        if len(shown) < len(images) and self._get_param("ImageIds"):
            raise InvalidAMIIdError([i.id for i in images if i.state == "disabled"])
        return ActionResult({"Images": shown})

    return described


def of_enabled_image(run_instances):
    def run(self, image_id, *args, **kwargs):
        if image_id in self.amis and self.amis[image_id].state == "disabled":
            raise UnvailableAMIIdError(image_id)
        return run_instances(self, image_id, *args, **kwargs)

    return run


def share_snapshot(modify_snapshot_attribute):
    """moto knows the short form of the request only, which cannot add and remove at once."""

    def modify(self):
        change = self._get_param("CreateVolumePermission")
        if not change:
            return modify_snapshot_attribute(self)
        snapshot = self._get_param("SnapshotId")
        for word, run in (
            ("Add", self.ec2_backend.add_create_volume_permission),
            ("Remove", self.ec2_backend.remove_create_volume_permission),
        ):
            who = change.get(word, [])
            users = [one["UserId"] for one in who if one.get("UserId")]
            groups = [one["Group"] for one in who if one.get("Group")]
            if users or groups:
                run(snapshot, user_ids=users, groups=groups)
        return EmptyResult()

    return modify


def extend_images():
    Ami.deprecation_time = None
    for action in (
        enable_image_deprecation,
        disable_image_deprecation,
        disable_image,
        enable_image,
    ):
        setattr(AmisResponse, action.__name__, action)
    AmisResponse.describe_images = without_disabled(AmisResponse.describe_images)
    for name in ("describe_image_attribute", "modify_image_attribute"):
        setattr(AmisResponse, name, of_own_image(getattr(AmisResponse, name)))
    EC2Backend.run_instances = of_enabled_image(EC2Backend.run_instances)
    ElasticBlockStore.modify_snapshot_attribute = share_snapshot(
        ElasticBlockStore.modify_snapshot_attribute
    )
