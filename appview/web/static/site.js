// What is here only saves a click: every page works without it.

// Search while typing.
for (const form of document.querySelectorAll("form[data-live]")) {
	const list = document.getElementById("list");
	let asked = 0, pause;
	const show = async () => {
		const mine = ++asked;
		const query = new URLSearchParams(new FormData(form));
		try {
			const answer = await fetch(form.dataset.live + "?" + query, { credentials: "same-origin" });
			if (!answer.ok || mine !== asked) return;
			const text = await answer.text();
			if (mine !== asked) return;
			list.innerHTML = text;
			history.replaceState(null, "", "/?" + query);
		} catch { /* the button still works */ }
	};
	form.elements.q.addEventListener("input", () => {
		clearTimeout(pause);
		pause = setTimeout(show, 200);
	});
	form.elements.sort.addEventListener("change", show);
}

// On narrow screens the stage that is shown may be beyond the edge.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Copy what is long to type.
for (const button of document.querySelectorAll("button[data-copy]")) {
	if (!navigator.clipboard) break;
	button.hidden = false;
	const name = button.textContent;
	button.addEventListener("click", async () => {
		await navigator.clipboard.writeText(button.dataset.copy);
		button.textContent = "Copied";
		setTimeout(() => { button.textContent = name; }, 2000);
	});
}

// Say while somebody types that something like it is there already.
for (const place of document.querySelectorAll("[data-look]")) {
	const from = document.getElementById(place.dataset.from);
	let asked = 0, pause;
	const look = async () => {
		const mine = ++asked;
		try {
			const answer = await fetch(place.dataset.look + "?" + new URLSearchParams({ title: from.value }), { credentials: "same-origin" });
			if (!answer.ok) return;
			const page = new DOMParser().parseFromString(await answer.text(), "text/html");
			if (mine === asked) place.replaceChildren(...page.querySelectorAll("#similar > h2, #similar > ul"));
		} catch { /* they are shown when the form is sent */ }
	};
	from.addEventListener("input", () => {
		clearTimeout(pause);
		pause = setTimeout(look, 300);
	});
}

// A form is sent when somebody is there to take it: a browser that finds nobody would put a
// page of its own in the place of what was typed.
for (const button of document.querySelectorAll("form .send")) {
	const form = button.closest("form");
	let asking = false;
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		if (asking) return;
		asking = true;
		try {
			await fetch("/xrpc/_health", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(10000) });
			keepTyped(form);
			form.submit();
		} catch {
			say(button, "You are not connected, or this service does not answer, so nothing was sent. What you typed is still here: try again when you are connected.");
			asking = false;
		}
	});
	addEventListener("pageshow", () => { asking = false; });
}

// say puts a sentence before a part of a form.
function say(part, sentence) {
	part.parentElement.querySelector(".unsent")?.remove();
	const notice = document.createElement("p");
	notice.className = "notice warn unsent";
	notice.setAttribute("role", "alert");
	notice.textContent = sentence;
	part.before(notice);
}

// What was sent outlives its page, in this tab, until it was answered: a connection may break
// off when nobody knows whether it arrived. With it comes the key of its record, so sent again
// it is written once. It is for nobody else, so it goes when its author signs out.
function keepTyped(form) {
	sessionStorage.setItem("sent", JSON.stringify({ page: location.href, fields: [...new FormData(form)] }));
}

{
	const sent = JSON.parse(sessionStorage.getItem("sent"));
	const form = document.querySelector("form.act");
	const refused = performance.getEntriesByType("navigation")[0].responseStatus >= 400;
	const own = document.querySelector('form[action="/sign-out"]');
	if (sent && own && form && location.href === sent.page && document.referrer !== sent.page && !document.querySelector(".notice[role=alert]")) {
		for (const [name, value] of sent.fields) {
			for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
				if (field.type === "radio" || field.type === "checkbox") field.checked = field.checked || field.value === value;
				else field.value = value;
			}
		}
		say(form.firstElementChild, "Something went wrong after you sent this. What you typed is here again: send it once more. If it arrived before, it is written once.");
	} else if (!own || sent && document.referrer === sent.page && !refused && !form) {
		sessionStorage.removeItem("sent");
	}
}
