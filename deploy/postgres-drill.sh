#!/usr/bin/env bash
# Tries a backup of PostgreSQL out: a base backup and the archive of its write-ahead log.
#
#   deploy/postgres-drill.sh restore <base backup> <archive> [<time>]
#       brings it back into a temporary folder, as it was at that time ('2026-11-25 12:00:00+03') or as new as the archive
#       goes, lets kabinet look through the ledger, prints its hash and the seconds, and removes everything again.
#       Neither the backup nor the server it came from is touched.
#   deploy/postgres-drill.sh rehearse
#       does the whole on a throwaway server: archiving on, base backup, more receipts, a moment, still more receipts,
#       then back to the moment and to the end, and compares the hashes of the ledgers.
#
# KABINET is the program (default: kabinet), DATABASE and ROLE what it is called in PostgreSQL (both: kabinet), SCRATCH a
# folder with room for the database (default: the one for temporary files). Needs PostgreSQL's programs of the same major
# version. Root runs PostgreSQL as the user postgres, which has to be able to read the backup and the archive.
set -euo pipefail

kabinet=${KABINET:-kabinet}
database=${DATABASE:-kabinet}
role=${ROLE:-kabinet}
scratch=
servers=()

die() { echo "postgres-drill: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root.
as_postgres() {
  if [[ $(id -u) == 0 ]]; then (cd / && runuser -u postgres -- "$@"); else (cd / && "$@"); fi
}

find_programs() {
  local folder
  for folder in "$(pg_config --bindir 2>/dev/null || true)" $(compgen -G '/usr/lib/postgresql/*/bin' | sort -rV || true); do
    [[ -x $folder/pg_ctl ]] && { echo "$folder"; return; }
  done
  die "pg_ctl was not found: install PostgreSQL of the same major version"
}

clean() {
  local data
  for data in "${servers[@]}"; do
    as_postgres "$programs/pg_ctl" stop --silent --mode immediate -D "$data" >/dev/null 2>&1 || true
  done
  [[ -z $scratch ]] || rm -rf "$scratch"
}

# A folder that PostgreSQL owns and nobody else may enter.
prepare() {
  programs=$(find_programs)
  scratch=$(mktemp -d "${SCRATCH:-${TMPDIR:-/tmp}}/kabinet-drill.XXXXXX")
  trap clean EXIT
  if [[ $(id -u) == 0 ]]; then chown postgres: "$scratch"; fi
}

# start <data> <socket folder> — starts a server that is reached by its socket alone, by everybody who can enter there.
start() {
  local data=$1 sockets=$2
  as_postgres mkdir -p "$sockets"
  echo 'local all all trust
local replication all trust' | as_postgres tee "$sockets/hba" >/dev/null
  servers+=("$data")
  as_postgres "$programs/pg_ctl" start --wait --timeout 3600 --silent -D "$data" -l "$data.log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$sockets' -c hba_file='$sockets/hba'" </dev/null ||
    { as_postgres tail -n 20 "$data.log" >&2; die "PostgreSQL does not start"; }
}

sql() { as_postgres "$programs/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -U postgres -d "$2" -c "$3"; }

# run <socket folder> <arguments of kabinet …>
run() {
  local sockets=$1
  shift
  KABINET_LOG=${KABINET_LOG:-error} KABINET_DATABASE_URL="postgres://$role@localhost/$database?host=$sockets" "$kabinet" "$@"
}

# restore <base> <archive> <time or nothing> — leaves the hash of the ledger in $hash.
restore() {
  local base=$1 archive=$2 time=$3 data=$scratch/restored-$RANDOM sockets=$scratch/socket-$RANDOM began=$SECONDS
  [[ -f $base/PG_VERSION ]] || die "$base is no base backup: it has no PG_VERSION (unpack it if it is a tar)"
  as_postgres cp -a "$base" "$data"
  as_postgres chmod 700 "$data"
  as_postgres touch "$data/recovery.signal"
  as_postgres tee -a "$data/postgresql.auto.conf" >/dev/null <<CONF
restore_command = 'cp "$archive/%f" "%p"'
recovery_target_timeline = 'latest'
recovery_target_action = 'promote'
archive_mode = off
CONF
  if [[ -n $time ]]; then
    echo "recovery_target_time = '$time'" | as_postgres tee -a "$data/postgresql.auto.conf" >/dev/null
  fi
  start "$data" "$sockets"
  until [[ $(sql "$sockets" postgres 'SELECT pg_is_in_recovery()') == f ]]; do
    as_postgres "$programs/pg_ctl" status -D "$data" >/dev/null ||
      { as_postgres tail -n 20 "$data.log" >&2; die "recovery ended before that time: is the archive whole?"; }
    sleep 0.2
  done
  echo "restored in $((SECONDS - began)) s${time:+, as it was at $time}"
  began=$SECONDS
  run "$sockets" ledger verify
  hash=$(run "$sockets" ledger hash)
  echo "compared in $((SECONDS - began)) s"
  echo "ledger $hash"
  as_postgres "$programs/pg_ctl" stop --silent --mode fast -D "$data"
  as_postgres rm -rf "$data"
}

# buy <document> <socket folder> — one more receipt.
buy() {
  printf 'document,at,customer,article,quantity,price\n%s,2026-11-01 12:00,7,A,1,100.00\n' "$1" > "$scratch/receipt.csv"
  run "$2" import purchases "$scratch/receipt.csv" --format kabinet >/dev/null
}

rehearse() {
  local data=$scratch/source sockets=$scratch/source-socket archive=$scratch/archive base=$scratch/base
  local then moment newest
  as_postgres mkdir -m 700 "$archive"
  as_postgres "$programs/initdb" --pgdata "$data" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
    >/dev/null
  as_postgres tee -a "$data/postgresql.conf" >/dev/null <<CONF
wal_level = replica
archive_mode = on
archive_command = 'test ! -f "$archive/%f" && cp "%p" "$archive/%f.part" && sync "$archive/%f.part" && mv "$archive/%f.part" "$archive/%f"'
CONF
  start "$data" "$sockets"
  sql "$sockets" postgres "CREATE ROLE $role LOGIN"
  sql "$sockets" postgres "CREATE DATABASE $database OWNER $role"
  run "$sockets" migrate
  buy 1 "$sockets"
  as_postgres "$programs/pg_basebackup" -h "$sockets" -U postgres -D "$base" --checkpoint fast --wal-method stream
  as_postgres "$programs/pg_verifybackup" --quiet "$base"
  echo "base backup taken and verified"
  buy 2 "$sockets"
  then=$(run "$sockets" ledger hash)
  sleep 1
  moment=$(sql "$sockets" postgres 'SELECT clock_timestamp()')
  sleep 1
  buy 3 "$sockets"
  newest=$(run "$sockets" ledger hash)
  [[ $then != "$newest" ]] || die "the third receipt changed nothing"
  # The segment that is being written is archived when the next begins.
  sql "$sockets" postgres 'SELECT pg_switch_wal()' >/dev/null
  until [[ $(sql "$sockets" postgres "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) FROM pg_stat_archiver") == t ]]; do
    sleep 0.2
  done
  restore "$base" "$archive" "$moment"
  [[ $hash == "$then" ]] || die "the ledger at $moment was $then"
  restore "$base" "$archive" ""
  [[ $hash == "$newest" ]] || die "the newest ledger is $newest"
  echo "both ledgers are what they were"
}

case ${1:-} in
  restore)
    [[ $# == 3 || $# == 4 ]] || die "restore takes a base backup, an archive, and a time if it is not the newest"
    prepare
    restore "$(realpath "$2")" "$(realpath "$3")" "${4:-}"
    ;;
  rehearse)
    prepare
    rehearse
    ;;
  *) die "takes \`restore\` or \`rehearse\`; the head of this file tells more" ;;
esac
