#!/usr/bin/env python3
"""Finds import cycles between the files of a crate.

    tools/import_circles.py [--known N] [SRC_FOLDER...]

Searches src, server/src, cli/src and index/src by default.

Follows `use` lines and paths in code from file to file, also through `pub use`. Prints each strongly
connected group of files. Tests are ignored. Exits with 1 if there are more groups than N (default 0), or
fewer: then N must be lowered.
"""

import argparse
import pathlib
import re
import sys

ITEM = r"(?:struct|enum|union|trait|fn|const|static|type|macro_rules!)"


def code_of(path):
    """The code of a file without comments, string literals and tests."""
    text = path.read_text()
    text = re.split(r"#\[cfg\(test\)\]\s*mod \w+ \{", text)[0]
    text = re.sub(r'r(#*)".*?"\1|"(?:[^"\\]|\\.)*"', '""', text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def tree_of(use):
    """The paths inside a `use`, with the names that they bind: [(path, name)]."""
    use = use.strip()
    brace = use.find("{")
    if brace < 0:
        path, _, name = use.partition(" as ")
        parts = [part.strip() for part in path.split("::")]
        return [(parts, name.strip() or parts[-1])]
    head = [part for part in use[:brace].split("::") if part]
    inner, depth, begin, found = use[brace + 1 : use.rfind("}")], 0, 0, []
    for at, sign in enumerate(inner + ","):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            if inner[begin:at].strip():
                found.append(inner[begin:at])
            begin = at + 1
    paths = []
    for part in found:
        for path, name in tree_of(part):
            path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
            name = head[-1] if path == ["self"] else name
            paths.append((head + ([] if path == ["self"] else path), name))
    return paths


class Crate:
    def __init__(self, root):
        self.files = {}
        for path in sorted(root.rglob("*.rs")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] in ("mod", "lib", "main"):
                parts.pop()
            if not any(part == "tests" or part.endswith("_tests") for part in parts):
                self.files[tuple(parts)] = path
        self.code = {module: code_of(path) for module, path in self.files.items()}
        uses = r"(pub(?:\([^)]*\))? )?use ([^;]+);"
        self.uses = {
            module: [(bool(public), tree_of(inside)) for public, inside in re.findall(uses, code)]
            for module, code in self.code.items()
        }
        self.items = {m: set(re.findall(ITEM + r" (\w+)", code)) for m, code in self.code.items()}

    def absolute(self, module, path):
        """The path from the crate's root; none for a path into another crate."""
        base = list(module)
        if path[0] == "crate":
            return path[1:]
        if path[0] == "self":
            return base + path[1:]
        if path[0] == "super":
            while path and path[0] == "super":
                base, path = base[:-1], path[1:]
            return base + path
        if tuple(base + path[:1]) in self.files:
            return base + path
        return None

    def home(self, module, path, depth=0):
        """The file that holds what a path names."""
        whole = self.absolute(module, path)
        if whole is None or depth > 9:
            return None
        # A module inside the file says `super` of the file.
        if path[0] == "super" and path[1:2] and path[1] in self.items[module]:
            return module
        for end in range(len(whole), -1, -1):
            found = tuple(whole[:end])
            if found not in self.files:
                continue
            rest = whole[end:]
            if not rest or rest[0] in self.items[found]:
                return found
            for _, paths in self.uses[found]:
                for inner, name in paths:
                    if name == rest[0]:
                        return self.home(found, inner, depth + 1) or found
            return found
        return None

    def imports(self, module):
        found = set()
        for public, paths in self.uses[module]:
            # A re-export counts as an import of the file that uses it.
            for path, name in paths:
                body = re.sub(r"(pub(?:\([^)]*\))? )?use [^;]+;", "", self.code[module])
                if not public or re.search(rf"\b{re.escape(name)}\b", body):
                    found.add(self.home(module, path))
        body = re.sub(r"use [^;]+;", "", self.code[module])
        for path in re.findall(r"\b((?:crate|super|self)(?:::\w+)+|[a-z_]\w*(?:::\w+)+)", body):
            found.add(self.home(module, path.split("::")))
        return found - {None, module}


def circles(graph):
    """The strongly connected components of more than one file (Tarjan 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(at):
        number[at] = low[at] = len(number)
        stack.append(at)
        for to in graph[at]:
            if to not in number:
                visit(to)
            if to in stack:
                low[at] = min(low[at], low[to])
        if low[at] == number[at]:
            group = stack[stack.index(at) :]
            del stack[stack.index(at) :]
            if len(group) > 1:
                found.append(sorted(group))

    for at in graph:
        if at not in number:
            visit(at)
    return found


def main():
    sys.setrecursionlimit(10_000)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", type=int, default=0, metavar="N")
    parser.add_argument("folders", nargs="*", metavar="SRC_FOLDER")
    asked = parser.parse_args()
    folders = asked.folders or ["src", "server/src", "cli/src", "index/src"]
    total = 0
    for folder in folders:
        crate = Crate(pathlib.Path(folder))
        graph = {module: sorted(crate.imports(module)) for module in crate.files}
        for group in circles(graph):
            total += 1
            print(f"{folder}: a cycle of {len(group)} files")
            for module in group:
                inside = ", ".join("/".join(to) or "(root)" for to in graph[module] if to in group)
                print(f"  {'/'.join(module) or '(root)'} -> {inside}")
    print(f"{total} cycles, {asked.known} of them known")
    if total < asked.known:
        print(f"error: there are fewer than {asked.known}: use --known {total}")
    sys.exit(total != asked.known)


if __name__ == "__main__":
    main()
