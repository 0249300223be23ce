#!/usr/bin/env python3
"""What the product is made of, from cargo's own metadata and package-lock.json; no network is asked.

    tools/dependencies.py licences            every package that has no licence of the list below; exit code 1 if there is
                                              one
    tools/dependencies.py advisories FOLDER   every package that RustSec knows a hole in; exit code 1 if there is one that
                                              deny.toml does not explain. FOLDER is https://github.com/RustSec/advisory-db
    tools/dependencies.py sbom FILE           a bill of materials (CycloneDX 1.6, JSON) of what `kabinet` is built from

The licences are those that may be combined with the AGPL, version 3 or later. One that is not among them is a question
for a person, not for this list.
"""

import datetime
import json
import operator
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ALLOWED = {
    "0BSD",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",  # the list of certificate authorities
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
# Packages of npm are tools of the build; only style sheets, icons, the font of PDFs and the reader of QR codes (jsqr, Apache-2.0)
# go from them into what is shipped.
ALLOWED_TOOLS = ALLOWED | {"BlueOak-1.0.0", "CC-BY-4.0", "Python-2.0", "OFL-1.1"}

# Names its licence in an old way that package-lock.json leaves out; this is what its file says.
READ_IN_THE_PACKAGE = {("node_modules/parse-cache-control", "1.0.1"): "BSD-3-Clause"}


def is_allowed(expression, allowed):
    """Whether an SPDX expression can be met by what is allowed. `/` is the old way to write OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def take(word):
        nonlocal position
        if position < len(tokens) and tokens[position] == word:
            position += 1
            return True
        return False

    def one():
        nonlocal position
        if take("("):
            value = either()
            if not take(")"):
                raise ValueError(expression)
            return value
        name = tokens[position]
        position += 1
        if take("WITH"):
            name = f"{name} WITH {tokens[position]}"
            position += 1
        return name in allowed

    def both():
        value = one()
        while take("AND"):
            value = one() and value
        return value

    def either():
        value = both()
        while take("OR"):
            value = both() or value
        return value

    try:
        value = either()
    except (IndexError, ValueError):
        return False
    return value and position == len(tokens)


def metadata(*arguments):
    # Packages for other platforms too, which a build never fetched: cargo gets those that are not there.
    command = ["cargo", "metadata", "--format-version", "1", "--locked", *arguments]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def npm_packages():
    """The packages of npm, those too that only the benchmarks are given."""
    locks = [json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8")) for folder in [".", "benches"]]
    packages = [entry for lock in locks for entry in lock["packages"].items()]
    return {path: entry for path, entry in packages if path and not entry.get("link")}


def licences():
    found = []
    for package in metadata()["packages"]:
        expression = package["license"] or ""
        if not is_allowed(expression, ALLOWED):
            found.append(f"{package['name']} {package['version']}: {expression or 'no licence named'}")
        source = package["source"]
        if source and not source.startswith("registry+https://github.com/rust-lang/crates.io-index"):
            found.append(f"{package['name']} {package['version']}: comes from {source}")
    for path, entry in npm_packages().items():
        expression = entry.get("license") or READ_IN_THE_PACKAGE.get((path, entry["version"]), "")
        if not is_allowed(expression, ALLOWED_TOOLS):
            found.append(f"{path}: {expression or 'no licence named'}")
    print("\n".join(sorted(found)), end="\n" if found else "")
    return 1 if found else 0


def version_of(text):
    """Major, minor and patch, and what comes before a release as cargo orders it: a release is after all of that."""
    number, _, early = text.split("+")[0].partition("-")
    parts = [int(part) for part in number.split(".")]
    identifiers = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in early.split(".")] if early else []
    return (*parts, *[0] * (3 - len(parts))), (0, identifiers) if early else (1, [])


def meets(version, requirement):
    """Whether a version is of a range of RustSec's, `>= 1.2.3, < 1.3`; one without a sign is what `^` says."""
    for part in requirement.split(","):
        sign, text = re.fullmatch(r"\s*([<>=^~]*)\s*(\S+)\s*", part).groups()
        bound, length = version_of(text), text.split("-")[0].count(".") + 1
        (major, minor, patch), _ = bound
        if sign in ("", "^"):
            if major or length == 1:
                end = (major + 1, 0, 0)
            elif minor or length == 2:
                end = (0, minor + 1, 0)
            else:
                end = (0, 0, patch + 1)
            fits = bound <= version and version[0] < end
        elif sign == "~":
            end = (major + 1, 0, 0) if length == 1 else (major, minor + 1, 0)
            fits = bound <= version and version[0] < end
        else:
            compare = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "=": operator.eq}[sign]
            fits = compare(version, bound)
        if not fits:
            return False
    return True


def advisories(folder):
    locked = {}
    for lock in ("Cargo.lock", "benches/Cargo.lock", "fuzz/Cargo.lock"):
        for package in tomllib.loads((ROOT / lock).read_text(encoding="utf-8"))["package"]:
            if "crates.io" in package.get("source", ""):
                locked.setdefault(package["name"], set()).add(package["version"])
    explained = {
        entry["id"]: entry["reason"]
        for entry in tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))["advisories"]["ignore"]
    }
    known, newest, failed, lines = 0, "", False, []
    for file in sorted(Path(folder).glob("crates/*/*.md")):
        head, _, rest = file.read_text(encoding="utf-8").removeprefix("```toml").partition("\n```")
        entry = tomllib.loads(head)
        advisory, versions = entry["advisory"], entry["versions"]
        known, newest = known + 1, max(newest, str(advisory["date"]))
        good = [*versions.get("patched", []), *versions.get("unaffected", [])]
        hit = [v for v in locked.get(advisory["package"], ()) if not any(meets(version_of(v), range) for range in good)]
        if "withdrawn" in advisory or not hit:
            continue
        title = next(line for line in rest.splitlines() if line.startswith("# ")).removeprefix("# ").strip()
        # Something that nobody looks after is a question, not yet a hole.
        if (kind := advisory.get("informational")) in ("unmaintained", "notice"):
            answer = f"{kind}, a question and no hole"
        elif advisory["id"] in explained:
            answer = f"accepted: {explained.pop(advisory['id'])}"
        else:
            answer, failed = "NOT EXPLAINED", True
        lines.append(f"- {advisory['id']}, {advisory['package']} {', '.join(sorted(hit))}: {title} ({answer})")
    if not known:
        sys.exit(f"{folder} holds no advisory")
    lines += [f"- {id} is explained in deny.toml and found no more" for id in explained]
    packages = sum(len(versions) for versions in locked.values())
    print(f"{packages} packages against {known} advisories, the newest of {newest}", *lines, sep="\n")
    return 1 if failed else 0


def is_shipped(node, names, kinds):
    """The dependencies of a node that end up in the program: not those of tests or of build scripts."""
    return [
        dependency["pkg"]
        for dependency in node["deps"]
        if any(kind["kind"] in kinds for kind in dependency["dep_kinds"]) and dependency["pkg"] in names
    ]


def sbom(file):
    host = next(
        line.removeprefix("host: ")
        for line in subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        if line.startswith("host: ")
    )
    graph = metadata("--filter-platform", host)
    packages = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    root = next(id for id, package in packages.items() if package["name"] == "server" and package["source"] is None)
    # None is what cargo calls an ordinary dependency.
    reached, waiting = {root}, [root]
    while waiting:
        for dependency in is_shipped(nodes[waiting.pop()], packages, {None}):
            if dependency not in reached:
                reached.add(dependency)
                waiting.append(dependency)

    checksums = {}
    name = version = None
    for line in (ROOT / "Cargo.lock").read_text(encoding="utf-8").splitlines():
        if match := re.match(r'(name|version|checksum) = "(.*)"', line):
            key, value = match.groups()
            if key == "name":
                name = value
            elif key == "version":
                version = value
            else:
                checksums[name, version] = value

    def reference(id):
        return f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}"

    components = []
    for id in sorted(reached - {root}, key=reference):
        package = packages[id]
        component = {
            "type": "library",
            "bom-ref": reference(id),
            "name": package["name"],
            "version": package["version"],
            "purl": reference(id),
            "licenses": [{"expression": package["license"].replace("/", " OR ")}],
        }
        if checksum := checksums.get((package["name"], package["version"])):
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        components.append(component)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": reference(root),
                "name": "kabinet",
                "version": packages[root]["version"],
                "licenses": [{"expression": packages[root]["license"]}],
            },
        },
        "components": components,
        "dependencies": [
            {
                "ref": reference(id),
                "dependsOn": sorted({reference(d) for d in is_shipped(nodes[id], reached, {None})}),
            }
            for id in sorted(reached, key=reference)
        ],
    }
    Path(file).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{file}: {len(components)} components")
    return 0


def main():
    match sys.argv[1:]:
        case ["licences"]:
            return licences()
        case ["advisories", folder]:
            return advisories(folder)
        case ["sbom", file]:
            return sbom(file)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
