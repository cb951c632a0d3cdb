// From a dropped file to the source of a request.

const TEXT = { json: /^\s*\{/, ctt: /^\s*Name:/, tim: /^\s*(?:\d+[ \t]+){3}\d+\s/ };
const ZIP = "zip";
const BASE64 = 4 / 3;

/** Which kind of file it is: by its name, else by how it begins. */
function kindOf(name, beginning) {
  const suffix = name.toLowerCase().split(".").pop();
  if (suffix in TEXT || suffix === ZIP) return suffix;
  if (beginning.startsWith("PK")) return ZIP;
  return Object.keys(TEXT).find((kind) => TEXT[kind].test(beginning)) ?? null;
}

/** `{dataset}` or `{content, format}`. Throws an Error for people. */
export async function readFile(file, mostMegabytes) {
  const kind = kindOf(file.name, await file.slice(0, 2000).text());
  if (kind === null) throw new Error(`${file.name} cannot be read here. Give a .json, .ctt or .tim file, or a .zip of CSV files.`);
  const size = (file.size / 1e6) * (kind === ZIP ? BASE64 : 1);
  if (size > mostMegabytes) throw new Error(`${file.name} has ${size.toFixed(1)} MB. The service takes at most ${mostMegabytes} MB.`);
  if (kind === ZIP) return { content: await base64(file), format: "csv_zip" };
  const text = await file.text();
  // A ready request body, as GET /datasets/{name} hands out, holds the dataset in a field.
  if (kind === "json") {
    try {
      const document = JSON.parse(text);
      if (typeof document?.dataset === "object" && document.dataset) return { dataset: document.dataset };
      if (document !== null) return { dataset: document };
    } catch {
      // the service says where it breaks
    }
    return { content: text, format: "json" };
  }
  return { content: text, format: kind };
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
