#!/bin/sh
# Makes the role that sluice needs in vSphere and gives it to an account, with govc. It may read, and nothing else.
#
#   GOVC_URL, GOVC_USERNAME, GOVC_PASSWORD   an administrator
#   role.sh 'sluice@vsphere.local' [PATH]    the account, and where it may read; default: everywhere
#
# Tags are no part of the inventory: what an account may read of them, its global permissions say. In the vSphere Client:
# Administration, Global Permissions, Add: the account, the role sluice-discovery, "Propagate to children". That covers
# the inventory as well, so that where the account may read everything, the permission below is not needed.
set -eu

account=${1:?the account, such as sluice@vsphere.local}
path=${2:-/}

govc role.create sluice-discovery System.Anonymous System.Read System.View
govc permissions.set -principal "$account" -role sluice-discovery -propagate=true "$path"
