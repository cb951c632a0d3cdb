// The description of the API as a page, drawn by Swagger UI, which the service serves itself.

import { headers } from "./api.js";

const OURS = new URL(document.getElementById("api").dataset.top, document.baseURI).href;

/** Shows the key of this tab to the service, where one was given, and to nobody else. */
function withKey(request) {
  if (new URL(request.url, document.baseURI).href.startsWith(OURS)) request.headers = { ...headers(), ...request.headers };
  return request;
}

window.SwaggerUIBundle({
  url: new URL("openapi.json", OURS).href,
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // a third party would be asked
  requestInterceptor: withKey,
});
