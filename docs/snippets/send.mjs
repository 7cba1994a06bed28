// Sends purchases to Millrace with the CloudEvents SDK, in each mode of HTTP.
// MILLRACE_URL says where it is, MILLRACE_API_KEY with which key.

// --8<-- [start:client]
import { CloudEvent, HTTP } from "cloudevents";

const url = process.env.MILLRACE_URL ?? "http://127.0.0.1:8080";
const key = process.env.MILLRACE_API_KEY ?? "";

/**
 * A purchase. What is sent again with the same source, id, type and time counts once.
 * @param {number} number
 * @param {string} amount
 * @returns {CloudEvent<{ order_id: string, customer_id: string, amount: string, currency: "EUR" | "USD" | "GBP" }>}
 */
function purchase(number, amount) {
  return new CloudEvent({
    type: "purchase",
    source: "/checkout",
    id: `javascript-${number}`,
    time: new Date(Date.UTC(2026, 10, 23, 11, number)).toISOString(),
    dataschema: "urn:millrace:retail:purchase:2",
    data: { order_id: `o-${number}`, customer_id: "c-1", amount, currency: "EUR" },
  });
}

/**
 * The answer, whose receipt stands for what is durable now.
 * @param {{ headers: Record<string, unknown>, body: unknown }} message
 * @returns {Promise<{ receipt: string, accepted: number, rejected: object[], events: object[] }>}
 */
async function send({ headers, body }) {
  const answer = await fetch(`${url}/ingest`, { method: "POST", headers: { ...headers, "X-Api-Key": key }, body });
  if (!answer.ok) {
    const { title, detail } = await answer.json();
    throw new Error(`${answer.status} ${title}: ${detail}`);
  }
  return answer.json();
}
// --8<-- [end:client]

// --8<-- [start:binary]
console.log(await send(HTTP.binary(purchase(1, "49.90"))));
// --8<-- [end:binary]

// --8<-- [start:structured]
console.log(await send(HTTP.structured(purchase(2, "12.50"))));
// --8<-- [end:structured]

// --8<-- [start:batched]
const events = [purchase(3, "7.00"), purchase(4, "20.00")];
const headers = { "Content-Type": "application/cloudevents-batch+json" };
console.log(await send({ headers, body: JSON.stringify(events) }));
// --8<-- [end:batched]
