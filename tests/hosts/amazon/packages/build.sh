#!/bin/sh
# Packs Docker, Git and stunnel, as Debian installed them here, into a repository of RPM packages: build.sh FOLDER
set -eu

repository=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

mkdir -p "$repository"
for spec in "$here"/*.spec; do
    rpmbuild -bb --quiet \
        --define "_topdir /tmp/rpmbuild" \
        --define "_sourcedir $here" \
        --define "_rpmdir $repository" \
        --define "_dbpath /tmp/rpmdb" \
        --define "_binary_payload w1.gzdio" \
        --define "_build_id_links none" \
        --define "__os_install_post %{nil}" \
        --define "debug_package %{nil}" \
        "$spec"
done
createrepo_c --quiet "$repository"
