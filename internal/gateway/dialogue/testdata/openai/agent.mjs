// An application's agent loop, as it is written for CodeSpar: the stock client of
// OpenAI's API asks the model, the tools are those of the session, and whatever
// the model calls goes to the session's execute, side by side.
//
// It reads its job from the environment and tells what came of it as JSON.
import OpenAI from "openai";

const { FEIRA_URL, FEIRA_KEY, FEIRA_TENANT, FEIRA_SERVERS, FEIRA_MESSAGE, MODEL_URL, MODEL_NAME } = process.env;
const openai = new OpenAI({ apiKey: "sk-of-nobody", baseURL: MODEL_URL, maxRetries: 0 });

async function feira(method, path, body) {
  const answer = await fetch(`${FEIRA_URL}${path}`, {
    method,
    headers: { Authorization: `Bearer ${FEIRA_KEY}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const session = await feira("POST", "/v1/sessions", { servers: FEIRA_SERVERS.split(","), user_id: FEIRA_TENANT });
const calls = [];
let message;
let rounds = 0;
try {
  const { tools } = await feira("GET", `/v1/sessions/${session.id}/connections`);
  const offered = tools.map((tool) => ({
    type: "function",
    function: { name: tool.name, description: tool.description, parameters: tool.input_schema },
  }));
  const messages = [{ role: "user", content: FEIRA_MESSAGE }];
  for (; rounds < 12; rounds++) {
    const reply = await openai.chat.completions.create({ model: MODEL_NAME, messages, tools: offered });
    const said = reply.choices[0].message;
    messages.push(said);
    if (!said.tool_calls?.length) {
      message = said.content;
      break;
    }
    const results = await Promise.all(
      said.tool_calls.map((call) =>
        feira("POST", `/v1/sessions/${session.id}/execute`, { tool: call.function.name, input: JSON.parse(call.function.arguments) }),
      ),
    );
    results.forEach((result, n) => {
      calls.push({ tool: result.tool, success: result.success, error: result.error, id: result.tool_call_id });
      messages.push({ role: "tool", tool_call_id: said.tool_calls[n].id, content: JSON.stringify(result) });
    });
  }
} finally {
  await feira("DELETE", `/v1/sessions/${session.id}`);
}
console.log(JSON.stringify({ session: session.id, rounds, message, calls }));
