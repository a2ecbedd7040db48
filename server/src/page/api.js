// The routes of the server. All paths are relative to the page, so that a proxy may serve it at any path.

const KEY = "asif-key";
let key = null;
try {
  key = sessionStorage.getItem(KEY);
} catch {
  /* storage is blocked: the key lasts as long as the page */
}

let asking = null;
let ask = null;

/** Sets the function that asks the user for a key: `f(wrong)` promises one. Called after a 401. */
export function onKeyNeeded(f) {
  ask = f;
}

/** An error with the message of the server. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", requestId = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }
}

/** All refused requests wait for one key. */
async function renewKey(used) {
  if (key !== used) return;
  asking ??= ask(used !== null)
    .then((given) => {
      key = given;
      try {
        sessionStorage.setItem(KEY, given);
      } catch {
        /* as above */
      }
    })
    .finally(() => {
      asking = null;
    });
  await asking;
}

async function call(path, { headers = {}, ...options } = {}) {
  const url = new URL(path.replace(/^\/+/, ""), document.baseURI);
  for (;;) {
    const used = key;
    const all = used === null ? headers : { ...headers, Authorization: `Bearer ${used}` };
    let response;
    try {
      response = await fetch(url, { ...options, headers: all });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("The server does not answer. Check that it is running and that this machine is online.");
    }
    if (response.ok) return response;
    if (response.status === 401 && ask) {
      await renewKey(used);
      continue;
    }
    throw await refusal(response);
  }
}

async function refusal(response) {
  const said = await response.json().catch(() => null);
  const { message, code, request_id } = said?.error ?? {};
  return new ApiError(message ?? `The server answered ${response.status} ${response.statusText}.`, {
    status: response.status,
    code,
    requestId: request_id ?? response.headers.get("x-request-id") ?? "",
  });
}

const json = async (path, options) => (await call(path, options)).json();
const of = (generation) => (generation === null ? "" : `?generation=${generation}`);
const post = (path, body, signal) =>
  json(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

export const sets = () => json("v1/sets");
export const templates = () => json("v1/templates");
export const metrics = async () => (await call("metrics")).text();
export const generations = (set) => json(`v1/sets/${set}/generations`);
export const map = (set, generation, signal) => json(`v1/sets/${set}/map${of(generation)}`, { signal });
export const anchor = (set, n, generation, signal) =>
  json(`v1/sets/${set}/anchors/${n}${of(generation)}`, { signal });
/** The bytes of a picture, by a URL from the server. */
export const picture = async (address, signal) => (await call(address, { signal })).blob();

/** The labels of one image. The file is sent unchanged. */
export async function classify(file, question, signal) {
  const form = new FormData();
  form.append("labels", JSON.stringify(question.labels));
  form.append("top", question.labels.length);
  const { set, generation, templates, without } = question;
  if (set) form.append("set", set);
  if (generation !== null) form.append("generation", generation);
  if (templates !== null)
    form.append("templates", typeof templates === "string" ? templates : JSON.stringify(templates));
  if (without !== null) form.append("without", JSON.stringify(without));
  form.append("image", file);
  const { results, generation: answered } = await json("v1/classify", { method: "POST", body: form, signal });
  if (results[0].error) throw new ApiError(`This image cannot be used: ${results[0].error}`);
  return { predictions: results[0].predictions, generation: answered };
}

/** The explanation of one label of one image. */
export async function explain(file, question, label, top, signal) {
  const image = await base64(file);
  const body = { ...question, image, label, top };
  for (const name of Object.keys(body)) if (body[name] === null) delete body[name];
  return post("v1/explain", body, signal);
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new ApiError(`${file.name} can no longer be read. Choose it again.`));
    reader.readAsDataURL(file);
  });
}
