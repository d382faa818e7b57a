"""The pages' templates; what they show is decided in `web`."""

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px sans-serif;margin:2em auto;max-width:46em}}td,th{{padding:.3em .8em;
text-align:left}}.GOOD{{color:#060}}.BAD{{color:#a00}}fieldset{{margin:1em 0}}</style>
<h1>{title}</h1>
"""

STATUS = (
    _HEAD.format(title="Access Server")
    + """<p>Node {{ node or "(single)" }}, state <strong>{{ state }}</strong>.</p>
<p><a href="/admin/failover">Administration</a></p></html>"""
)

LOGIN = (
    _HEAD.format(title="Admin login")
    + """{% if error %}<p class="BAD" role="alert">{{ error }}</p>{% endif %}
<form method="post"><p><label>User name <input name="username" autocomplete="username" required>
</label></p><p><label>Password <input name="password" type="password"
autocomplete="current-password" required></label></p><button>Log in</button></form></html>"""
)

FAILOVER = (
    _HEAD.format(title="Failover")
    + """<p>This node: {{ status.role }}, {{ status.state }}.</p>
{% if message %}<p role="status"><strong>{{ message }}</strong></p>{% endif %}
{% if report %}
<table><caption>Validation: {{ "GOOD" if report.good else "not good" }}</caption>
{% for row in report.rows %}<tr><td>{{ row.name }}<td class="{{ row.status }}">{{ row.status }}
<td>{{ row.detail }}</tr>{% endfor %}</table>
{% if report.problems %}<ul>{% for problem in report.problems %}<li class="BAD">{{ problem }}
{% endfor %}</ul>{% endif %}{% endif %}
<form method="post"><input type="hidden" name="token" value="{{ token }}">
<fieldset><legend>Model</legend>
<label><input type="radio" name="mode" value="none" {{ "checked" if settings.mode == "none" }}>
No failover</label>
<label><input type="radio" name="mode" value="ucarp" {{ "checked" if settings.mode != "none" }}>
LAN model (UCARP-based failover)</label></fieldset>
<p><label>Shared virtual IP address <input name="virtual_ip" value="{{ settings.virtual_ip }}">
</label></p>
{% for name in ("primary", "secondary") %}
<fieldset><legend>{{ name|capitalize }} node</legend>
<p><label>Hostname or IP address <input name="{{ name }}_host" value="{{ settings[name].host }}">
</label></p>
<p><label>SSH username <input name="{{ name }}_ssh_user" value="{{ settings[name].ssh_user }}">
</label></p>
<p><label>SSH password (optional) <input name="{{ name }}_ssh_password" type="password"
autocomplete="off"></label></p>
<p><label>SSH port <input name="{{ name }}_ssh_port" value="{{ settings[name].ssh_port }}">
</label></p></fieldset>{% endfor %}
<button formaction="/admin/failover/validate">Validate</button>
<button formaction="/admin/failover/commit">Commit and Restart</button></form></html>"""
)
