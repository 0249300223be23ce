#!/usr/bin/env bash
# A throwaway PostgreSQL for tests: on a free port, with its data in a temporary folder, gone when it stops.
#
#   tools/postgres.sh start [name]    starts it and prints the postgres:// address of its superuser
#   tools/postgres.sh start name tls  the same, reached by TLS alone; the address names the certificate to check it by
#   tools/postgres.sh start name durable  the same, keeping what is committed through a power cut: to measure by
#   tools/postgres.sh restart [name]  stops it as an upgrade would, cutting off everybody, and starts it at the same address
#   tools/postgres.sh stop [name]     stops it and removes its data
#
# A second `start` of the same name prints the address of the one that runs. Nothing of the system's own cluster is
# touched, and neither passwords nor, for tests, safety against a power cut are wanted: it listens on the loopback
# address only.
set -euo pipefail

readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly name=${2:-default}
readonly way=${3:-}
# Holds the path of the data folder in its first line and the address in its second.
readonly state=$root/target/postgres/$name

die() { echo "postgres: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root, so root runs it as the user that Debian's package made.
as_postgres() {
  # From a folder that the user can enter, which the project's may not be.
  if [[ $(id -u) == 0 ]]; then (cd / && runuser -u postgres -- "$@"); else (cd / && "$@"); fi
}

# The folder with initdb and pg_ctl: version 15 first, which is the oldest that Kabinet supports.
find_programs() {
  local folder
  for folder in /usr/lib/postgresql/15/bin $(compgen -G '/usr/lib/postgresql/*/bin' | sort -V || true) \
    "$(pg_config --bindir 2>/dev/null || true)"; do
    if [[ -x $folder/initdb ]]; then
      echo "$folder"
      return
    fi
  done
  return 1
}

install_programs() {
  command -v apt-get >/dev/null || die "initdb was not found: install PostgreSQL 15 or later"
  [[ $(id -u) == 0 ]] || die "initdb was not found: install PostgreSQL 15 or later (apt-get install postgresql)"
  echo "postgres: installs the package postgresql" >&2
  # The package would make and start a cluster of its own, which nobody here wants. The folder may not exist before.
  mkdir -p /etc/postgresql-common
  [[ -e /etc/postgresql-common/createcluster.conf ]] ||
    echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    -o Dpkg::Options::=--force-confold postgresql; } >&2 || die "the package postgresql could not be installed"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Gives it a certificate by an authority of its own, and lets nobody in who does not ask for TLS. openssl came with the
# package.
ask_for_tls() {
  local data=$1 new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
  as_postgres "${new[@]}" -subj /CN=authority -keyout "$data/authority.key" -out "$data/authority.crt" 2>/dev/null
  as_postgres "${new[@]}" -CA "$data/authority.crt" -CAkey "$data/authority.key" -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout "$data/server.key" -out "$data/server.crt" 2>/dev/null
  as_postgres chmod 600 "$data/server.key"
  as_postgres cat "$data/authority.crt" > "$state.crt"
  echo "ssl = on" | as_postgres tee -a "$data/postgresql.conf" >/dev/null
  echo "hostssl all all 127.0.0.1/32 trust" | as_postgres tee "$data/pg_hba.conf" >/dev/null
}

start() {
  local programs data port attempt url
  programs=$(find_programs) || { install_programs; programs=$(find_programs) || die "initdb is still missing"; }
  if [[ -r $state ]]; then
    data=$(sed -n 1p "$state")
    if as_postgres "$programs/pg_ctl" status -D "$data" >/dev/null 2>&1; then
      sed -n 2p "$state"
      return
    fi
    stop
  fi

  mkdir -p "$(dirname "$state")"
  data=$(mktemp -d "$root/target/postgres/data.XXXXXX")
  if [[ $(id -u) == 0 ]]; then
    chown postgres "$data"
    if ! as_postgres test -w "$data"; then
      # The project lies where only root may look, as in /root.
      rmdir "$data"
      data=$(mktemp -d "${TMPDIR:-/tmp}/kabinet-postgres.XXXXXX")
      chown postgres "$data"
    fi
  fi
  as_postgres "$programs/initdb" --pgdata "$data" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
    --no-sync >"$state.log" 2>&1 || { cat "$state.log" >&2; die "initdb failed"; }
  # Tests want speed and many connections; what a crash would lose does not matter.
  as_postgres tee -a "$data/postgresql.conf" >/dev/null <<-'CONF'
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	max_connections = 200
	CONF
  [[ $way == durable ]] || as_postgres tee -a "$data/postgresql.conf" >/dev/null <<-'CONF'
	fsync = off
	synchronous_commit = off
	full_page_writes = off
	# Each test has a database of its own, and none lives long enough to need it.
	autovacuum = off
	CONF
  [[ $way != tls ]] || ask_for_tls "$data"
  # Between the choice of a port and its use somebody else may take it.
  for attempt in 1 2 3; do
    port=$(free_port)
    if as_postgres "$programs/pg_ctl" start --wait --silent -D "$data" -l "$data/server.log" -o "-p $port" </dev/null >&2; then
      url=postgres://postgres@127.0.0.1:$port/postgres
      [[ $way != tls ]] || url+="?sslmode=verify-full&sslrootcert=$state.crt"
      printf '%s\n%s\n' "$data" "$url" > "$state"
      echo "$url"
      return
    fi
  done
  as_postgres cat "$data/server.log" >&2
  rm -rf "$data"
  die "PostgreSQL did not start"
}

restart() {
  local programs data
  [[ -r $state ]] || die "none of the name $name runs"
  data=$(sed -n 1p "$state")
  programs=$(find_programs)
  as_postgres "$programs/pg_ctl" restart --wait --silent --mode fast -D "$data" -l "$data/server.log" </dev/null >&2
}

stop() {
  [[ -r $state ]] || return 0
  local programs data
  data=$(sed -n 1p "$state")
  if [[ -d $data ]]; then
    programs=$(find_programs) && as_postgres "$programs/pg_ctl" stop --silent --mode immediate -D "$data" >/dev/null 2>&1 || true
    rm -rf "$data"
  fi
  rm -f "$state" "$state.log" "$state.crt"
}

case ${1:-} in
  start) start ;;
  restart) restart ;;
  stop) stop ;;
  *) die "takes \`start\`, \`restart\` or \`stop\`, and a name if there is more than one" ;;
esac
