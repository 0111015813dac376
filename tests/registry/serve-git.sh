#!/bin/sh
# Serves /srv/stand_in as https://…/stand-in.git
set -eu

repository=/srv/git/stand-in.git
mkdir -p "${repository%/*}"
git init --quiet --bare "$repository"
cd /srv/stand_in
git --git-dir "$repository" --work-tree . add .
git --git-dir "$repository" --work-tree . -c user.name=test -c user.email=test@localhost commit --quiet --message "A stand-in"
exec /etc/stand-in/serve_git /srv/git 0.0.0.0 5000 /run/certificate.pem
