#!/bin/sh
# Gets a certificate of Let's Encrypt for this controller's web server. Asks for its name.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh
. resources/lets_encrypt.sh

as_root
install_debs certbot
lets_encrypt
