#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
#
# What a team writes to promote, roll back and revoke by hand, on the same documents: the aws CLI and jq.
# Writes are conditional; whatever is done in several regions is done in all of them at once.
#
#   release.sh promote IMAGE FROM TO     tags the AMIs, moves the channel TO, writes the parameters
#   release.sh rollback IMAGE CHANNEL    moves the channel to what it was on before
#   release.sh revoke IMAGE FINGERPRINT  marks the build and tags its AMIs
#
# BUCKET is where the registry is, below chain/.
set -euo pipefail
export AWS_PAGER=''
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# get KEY FILE: prints the ETag.
get() { aws s3api get-object --bucket "$BUCKET" --key "chain/$1" "$2" --query ETag --output text; }

# put KEY FILE ETAG: writes the file unless the object has changed since.
put() {
  aws s3api put-object --bucket "$BUCKET" --key "chain/$1" --body "$2" --if-match "$3" \
    --content-type application/json --query ETag --output text >/dev/null
}

# each FILE COMMAND...: runs a command with a region and an AMI for each AMI of a document.
each() {
  local file=$1 filter=$2 region ami jobs=()
  shift 2
  while IFS=$'\t' read -r region ami; do
    "$@" "$region" "$ami" &
    jobs+=($!)
  done < <(jq -r "$filter | to_entries[] | [.key, .value] | @tsv" "$file")
  for job in "${jobs[@]}"; do wait "$job"; done
}

# check REGION AMI: it is available and not revoked.
check() {
  local good
  good=$(aws ec2 describe-images --region "$1" --owners self --image-ids "$2" --output text \
    --query "length(Images[?State=='available' && !not_null(Tags[?Key=='chain:revoked'].Value | [0])])")
  [ "$good" = 1 ] || { echo "$2 in $1 is gone or revoked" >&2; return 1; }
}

# tag KEY VALUE REGION AMI
tag() { aws ec2 create-tags --region "$3" --resources "$4" --tags "Key=$1,Value=$2"; }

# parameter NAME REGION AMI: Terraform and launch templates read it.
parameter() {
  aws ssm put-parameter --region "$2" --name "$1" --value "$3" --type String \
    --data-type aws:ec2:image --overwrite --query Version --output text >/dev/null
}

# move IMAGE CHANNEL ETAG KIND: moves channel.json to the first move of target.json.
move() {
  local at
  at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  jq --slurpfile to "$work/target.json" --arg kind "$4" --arg id "$(openssl rand -hex 16)" --arg at "$at" '
    .seq += 1 | .write_id = $id | .moves = [$to[0].moves[0] +
      {kind: $kind, write_id: $id, moved_at: $at, moved_by: "local"}] + .moves[:99] |
    .fingerprint = $to[0].fingerprint | .amis = $to[0].amis | .ancestors = $to[0].ancestors |
    .manifest_seq = $to[0].manifest_seq | .manifest_sha256 = $to[0].manifest_sha256
  ' "$work/channel.json" >"$work/new.json"
  put "$1/channels/$2.json" "$work/new.json" "$3"
  each "$work/new.json" .amis parameter "/images/$1/$2"
}

promote() {
  local etag
  get "$1/channels/$2.json" "$work/target.json" >/dev/null
  etag=$(get "$1/channels/$3.json" "$work/channel.json")
  each "$work/target.json" .amis check
  each "$work/target.json" .amis tag Release "$3"
  move "$1" "$3" "$etag" forward
}

rollback() {
  local etag
  etag=$(get "$1/channels/$2.json" "$work/channel.json")
  jq '.moves |= .[1:] | .fingerprint = .moves[0].fingerprint | .amis = .moves[0].builds[0].amis' \
    "$work/channel.json" >"$work/target.json"
  each "$work/target.json" .amis check
  # The hash of its manifest is part of the pointer.
  get "$1/builds/$(jq -r .fingerprint "$work/target.json").json" "$work/manifest.json" >/dev/null
  jq --arg sha "$(sha256sum "$work/manifest.json" | cut -d ' ' -f 1)" --slurpfile m "$work/manifest.json" \
    '.manifest_sha256 = $sha | .manifest_seq = $m[0].chain.seq | .ancestors = $m[0].chain.ancestors' \
    "$work/target.json" >"$work/whole.json"
  mv "$work/whole.json" "$work/target.json"
  move "$1" "$2" "$etag" rollback
}

revoke() {
  local key="$1/builds/$2.json" etag
  etag=$(get "$key" "$work/manifest.json")
  aws s3 cp --only-show-errors --recursive "s3://$BUCKET/chain/$1/channels/" "$work/channels/"
  if jq -e --arg own "$2" 'select(.fingerprint == $own)' "$work"/channels/*.json >/dev/null; then
    echo "a channel of $1 is on $2" >&2
    exit 1
  fi
  jq --arg id "$(openssl rand -hex 16)" --arg reason "$REASON" \
    '.builds[-1].revoked = {at: (now | todate), reason: $reason} | .chain.seq += 1 | .chain.write_id = $id' \
    "$work/manifest.json" >"$work/new.json"
  put "$key" "$work/new.json" "$etag"
  each "$work/new.json" .chain.amis tag chain:revoked "$REASON"
}

"$@"
