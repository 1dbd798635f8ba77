// Plays the page of a clip as a phone would; prints what it saw, as JSON. Usage: node play.mjs URL SCREENSHOT
import puppeteer from "puppeteer-core";
const [url, screenshot] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"] });
const page = await browser.newPage();
await page.setViewport({ width: 412, height: 800, isMobile: true, hasTouch: true });
const trouble = [];
page.on("console", (m) => m.type() === "error" && trouble.push(m.text()));
page.on("requestfailed", (r) => trouble.push(`${r.url()}: ${r.failure().errorText}`));
page.on("pageerror", (e) => trouble.push(String(e)));
await page.goto(url);
await page.tap("button");
await page.waitForFunction(() => { const v = document.querySelector("video"); return v.error || v.currentTime > Number(document.querySelector("button").dataset.at) + 0.5; }, { timeout: 30000 });
const seen = await page.evaluate(() => { const v = document.querySelector("video"); return { error: v.error?.message ?? null, frames: v.getVideoPlaybackQuality().totalVideoFrames, width: v.videoWidth, height: v.videoHeight, duration: v.duration, at: v.currentTime, boxes: document.querySelectorAll("svg g:not([hidden]) rect").length, source: v.currentSrc }; });
await page.screenshot({ path: screenshot });
console.log(JSON.stringify({ ...seen, trouble }));
await browser.close();
