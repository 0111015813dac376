#!/bin/sh
# Serves /srv/stand_in as git://…/stand-in.git
set -eu

repository=/srv/git/stand-in.git
mkdir -p "${repository%/*}"
git init --quiet --bare "$repository"
cd /srv/stand_in
git --git-dir "$repository" --work-tree . add .
git --git-dir "$repository" --work-tree . -c user.name=test -c user.email=test@localhost commit --quiet --message "A stand-in"
exec git daemon --reuseaddr --export-all --base-path=/srv/git --port=5000
