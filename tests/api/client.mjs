// Sends the events on standard input with the CloudEvents SDK, by the transport and in the mode that are named.
import { readFileSync } from "node:fs";
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from "cloudevents";

const [transport, mode, url] = process.argv.slice(2);
const events = JSON.parse(readFileSync(0, "utf8")).map((event) => new CloudEvent(event));

async function post({ headers, body }) {
  const answer = await fetch(url, { method: "POST", headers, body });
  if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
}

if (mode === "batched") {
  const headers = { "Content-Type": "application/cloudevents-batch+json" };
  await post({ headers, body: JSON.stringify(events) });
} else {
  const emit = emitterFor(httpTransport(url), { mode: mode === "binary" ? Mode.BINARY : Mode.STRUCTURED });
  for (const event of events) {
    if (transport === "emitter") await emit(event);
    else await post(mode === "binary" ? HTTP.binary(event) : HTTP.structured(event));
  }
}
