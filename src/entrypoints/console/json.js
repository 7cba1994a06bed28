// JSON as it was sent: parsed with care for its text, so that numbers keep their digits and places can be pointed at.

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * The tree of a document, or null where it is none. A node is {kind, text} for a scalar, or {kind, members}: of an
 * object [key, node, key as written] each, of an array [index, node]. Its
 * own text is that from `from` to `to`.
 */
export function parse(text) {
  let at = 0;

  function take(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) throw new SyntaxError("no JSON");
    at += found[0].length;
    return found[0];
  }

  function follows(sign) {
    take(SPACE);
    if (text[at] !== sign) return false;
    at += 1;
    return true;
  }

  function members(end, one) {
    const found = [];
    if (follows(end)) return found;
    do found.push(one(found.length)); while (follows(","));
    if (!follows(end)) throw new SyntaxError("no JSON");
    return found;
  }

  function node() {
    take(SPACE);
    const from = at;
    const found = value();
    return { ...found, from, to: at };
  }

  function value() {
    if (follows("{")) {
      return { kind: "object", members: members("}", () => {
        take(SPACE);
        const written = take(STRING);
        if (!follows(":")) throw new SyntaxError("no JSON");
        return [JSON.parse(written), node(), written];
      }) };
    }
    if (follows("[")) return { kind: "array", members: members("]", (index) => [String(index), node()]) };
    return text[at] === '"' ? { kind: "string", text: take(STRING) } : { kind: "scalar", text: take(SCALAR) };
  }

  try {
    const root = node();
    take(SPACE);
    return at === text.length ? root : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

/**
 * Where a JSON pointer (RFC 6901) leads: {node, missing}. Where nothing is at the place, the node is the last one on
 * the way, and `missing` the key that it does not have. Of duplicate keys the last one counts.
 */
export function locate(root, pointer) {
  let node = root;
  for (const token of pointer.split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    const found = node.members?.findLast(([name]) => name === key);
    if (found === undefined) return { node, missing: key };
    node = found[1];
  }
  return { node, missing: null };
}

/** JSON as values; whole numbers that JavaScript would round stay as they are written. */
export function exactly(text) {
  return JSON.parse(text, (_, value, context) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) && JSON.rawJSON ? JSON.rawJSON(context.source) : value);
}
