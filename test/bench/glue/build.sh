#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
#
# The pipeline that a team writes around Packer when it has no plugin for it: git, the aws CLI and jq.
#
#   build.sh build IMAGE [PARENT]   builds the image in the folder IMAGE unless it exists at home
#
# BUCKET is where manifests are kept, REGIONS where AMIs are wanted, the first one being home. SOURCE_AMI
# is what an image without a parent is built on.
set -euo pipefail
export AWS_PAGER=''
read -r -a regions <<<"$REGIONS"
home=${regions[0]}

# The git object id of the folder names what an image is built from.
marker() { git ls-tree -d --format='%(objectname)' HEAD -- "$1"; }

# The newest available AMI at home that was built from the folder as it is checked out, or None.
find_ami() {
  aws ec2 describe-images --region "$home" --owners self --output text \
    --filters "Name=tag:Image,Values=$1" "Name=tag:SHA,Values=$(marker "$1")" Name=state,Values=available \
    --query 'sort_by(Images, &CreationDate)[-1].ImageId'
}

# The parent of this very run when its manifest is at hand, else the one that carries the marker.
parent() {
  local ami
  if [ -f "$1/packer-manifest.json" ]; then
    amis "$1" | awk -F : -v region="$home" '$1 == region { print $2 }'
    return
  fi
  ami=$(find_ami "$1")
  [ "$ami" != None ] || { echo "no AMI of $1 in $home: build it first" >&2; exit 1; }
  echo "$ami"
}

# region:ami of the newest build, one on a line.
amis() { jq -r '.builds[-1].artifact_id | split(",")[]' "$1/packer-manifest.json"; }

object() { echo "s3://$BUCKET/glue/$1/$(marker "$1").json"; }

# Tags come last, as they say that the image is good; all regions at once.
publish() {
  local image=$1 line jobs=()
  for line in $(amis "$image"); do
    aws ec2 create-tags --region "${line%%:*}" --resources "${line#*:}" \
      --tags "Key=Image,Value=$image" "Key=SHA,Value=$(marker "$image")" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job"; done
  aws s3 cp --only-show-errors "$image/packer-manifest.json" "$(object "$image")"
}

build() {
  local image=$1 source=${SOURCE_AMI:-} copies ami
  [ -z "${2:-}" ] || source=$(parent "$2")
  ami=$(find_ami "$image")
  if [ "$ami" != None ]; then
    echo "$image is $ami already"
    # The next stage wants to know what it is built on, whether this one was built or not.
    aws s3 cp --only-show-errors "$(object "$image")" "$image/packer-manifest.json"
    return
  fi
  copies=$(jq -cn '$ARGS.positional' --args "${regions[@]:1}")
  (cd "$image" && packer build -color=false -var "source_ami=$source" -var "copy_to=$copies" .)
  publish "$image"
}

"$@"
