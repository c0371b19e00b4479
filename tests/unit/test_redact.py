"""Secrets go, everything else stays: forty shapes of secrets, and command lines that hold none."""

from __future__ import annotations

import base64
import re
import string
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditor.probes import redact as redact_module
from auditor.probes import secret_shapes
from auditor.probes.redact import REDACTED, mask, redact, redact_job, redact_named
from auditor.probes.secret_shapes import SHAPES as SHAPES_KNOWN
from auditor.probes.secret_shapes import TOOLS
from tests.steps import calls_of

CANARY = "Tr0ub4dor.X9zQ7wK2"
SHAPES = {
    "net use, password after the share": r"net use \\srvb\backup$ § /user:corp\svc",
    "net use, password last": r"net use z: \\srvb\d$ /user:corp\svc §",
    "net use, quoted": r'net.exe use \\srvb\d$ "§" /persistent:no',
    "net use in task XML": "<Command>net</Command>\n      <Arguments>use \\\\srvb\\d$ § /user:svc</Arguments>",
    "net use in a schtasks line": r'"SRVA","Copy","net use \\srvb\d$ § /user:svc","N/A"',
    "net user": "net user svc § /add",
    "schtasks run-as": "schtasks /create /tn copy /ru corp\\svc /rp § /tr x.cmd",
    "schtasks remote": "schtasks /query /s srvb /u svc /p §",
    "tasklist": "tasklist /s srvb /u svc /p § /fo csv",
    "psexec": r"psexec \\srvb -u corp\svc -p § cmd /c dir",
    "plink": "echo y | plink -ssh svc@srvb -pw § uptime",
    "pscp": "pscp.exe -pw § file svc@srvb:/tmp",
    "PowerShell parameter": "powershell -File copy.ps1 -Password '§' -Verbose",
    "PowerShell admin parameter": "Install-Thing -AdminPassword § -Force",
    "ConvertTo-SecureString": '$s = ConvertTo-SecureString "§" -AsPlainText -Force',
    "ConvertTo-SecureString, -String": "ConvertTo-SecureString -String § -AsPlainText -Force",
    "ConvertTo-SecureString, piped": "'§' | ConvertTo-SecureString -AsPlainText -Force",
    "NetworkCredential": "New-Object Net.NetworkCredential('svc', '§')",
    "sqlcmd": "sqlcmd -S srvb -U sa -P § -Q \"backup database x to disk='y'\"",
    "osql, attached": "osql -Usa -P§ -i job.sql",
    "mysqldump": "mysqldump -u root -p§ shop > shop.sql",
    "connection string": "Server=srvb;Database=shop;User ID=sa;Password=§;Encrypt=yes",
    "connection string, short": "Data Source=srvb;uid=sa;pwd=§",
    "URL with user": "ftp://svc:§@srvb/pub/file.zip",
    "curl user": "curl -T file -u svc:§ https://srvb/upload",
    "curl header": 'curl -H "Authorization: Basic §" https://srvb/',
    "bearer": "curl -H 'X: Bearer §' https://srvb/",
    "FTP script, user": "open srvb\nuser svc §\nbinary\nput file\nbye",
    "FTP script, bare lines": "open srvb\nsvc\n§\nbinary\nput file\nbye\n",
    "FTP script written by a batch file": "echo user svc §> ftp.txt",
    "FTP pass": "USER svc\nPASS §\n",
    "WinSCP": 'open sftp://svc@srvb/ -password="§" -hostkey=*',
    "wmic": "wmic /node:srvb /user:svc /password:§ os get caption",
    "cmdkey": "cmdkey /add:srvb /user:svc /pass:§",
    "msiexec": 'msiexec /i agent.msi /qn SERVERPASSWORD="§" LOGLEVEL=1',
    "msiexec, unquoted": "msiexec /x {A} /qn UNINSTALL_PASSWORD=§",
    "registry export": '"DefaultPassword"="§"',
    "reg add": 'reg add "HKLM\\SOFTWARE\\X" /v DefaultPassword /t REG_SZ /d § /f',
    "Set-ItemProperty": "Set-ItemProperty -Path HKLM:\\X -Name DefaultPassword -Value '§'",
    "unattended XML": "<AutoLogon><Password><Value>§</Value><PlainText>true</PlainText></Password></AutoLogon>",
    "XML element": "<connection><password>§</password></connection>",
    "XML attribute": '<add name="x" userPassword="§" />',
    "JSON": '{"user": "svc", "password": "§"}',
    "INI": "[db]\npassword = §\nport = 1433",
    "batch variable": "set DB_PASSWORD=§",
    "environment": "set SVC_PASS=§& pg_dump",
    "API key": "api_key: §",
    "token": "access_token=§",
    "client secret": '"client_secret": "§"',
    "storage key": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=§;EndpointSuffix=x",
    "SAS": "azcopy copy x https://a.blob.core.windows.net/c?sv=2020&sig=§&se=2027",
    "7-Zip": "7z a -tzip -p§ backup.7z D:\\data",
    "rar": "rar a -hp§ backup.rar D:\\data",
    "autologon": "autologon svc CORP §",
    "rasdial": "rasdial branch svc §",
    "winrs": "winrs -r:srvb -u:svc -p:§ dir",
    "sqlplus": "sqlplus system/§@orcl",
    "bitsadmin": "bitsadmin /setcredentials job server basic svc §",
    "Symantec": "smc -p § -stop",
    "openssl": "openssl pkcs12 -in x.pfx -passin pass:§ -nodes",
    "SQL": "CREATE LOGIN svc WITH PASSWORD = N'§';",
    "VBScript drive": 'net.MapNetworkDrive "Z:", "\\\\FS2\\Backup", False, "corp\\svc", "§"',
    "VBScript drive, called": 'Call n.MapNetworkDrive("Z:", "\\\\" & fs & "\\Backup", , strUser, "§")',
    "batch variable, pw": "set PW=§",
    "batch variable, pw, quoted": 'set "userpw=§"',
    "PowerShell variable, pw": "$pw = '§'",
    "PowerShell variable, pw, scope": '$script:ServerPw="§"',
    "VBScript variable, pw": 'strPw = "§"',
    "JSON, pw": '{"serverPw": "§"}',
    "caret": "net use \\\\s\\x ^\n§ /user:a",
    "caret, CRLF": "schtasks /create /tn x ^\r\n  /ru svc /rp ^\r\n  § /tr x.cmd",
    "backtick": "Install-Thing -Name x `\n    -Password `\r\n    § `\n    -Force",
    "lftp": "lftp -u svc,§ -e 'mirror -R /d /d; quit' sftp://srvb",
    "lftp, open": "lftp -e 'open -u svc,§ srvb; mirror'",
    "smbclient": "smbclient //srvb/d -U svc%§ -c 'prompt; mget *'",
    "smbclient, long": "smbclient //srvb/d --user=corp/svc%§",
    "Oracle userid": "exp userid=sys/§ file=x.dmp full=y",
    "Oracle userid, at the end": 'expdp full=y userid=\\"sys/§@orcl as sysdba\\"',
    "KiXtart": "kix32 x.kix $pw=§",
    "KiXtart, pass": "wkix32.exe login.kix $ServerPw=§ $drive=Z:",
    "dtexec": "dtexec /f package.dtsx /de §",
    "VBScript, continued line": 'strPassword = _\r\n    "§"\r\n',
    "VBScript, continued deep": 'cn.Open "Provider=SQLOLEDB;User ID=sa;" & _\n\t\t\t\t\t"Password=§;Data Source=srvb"',
    "VBScript, continued argument": 'net.MapNetworkDrive "Z:", "\\\\srvb\\s", False, _\n   "corp\\svc", "§"',
    "VBScript, net use joined": 'sh.Run "net use z: \\\\srvb\\d " & _\n  "§ /user:svc", 0, True',
    "VBScript, psexec joined": 'sh.Run "psexec \\\\srvb -u svc -p " & _\r\n "§" & " cmd"',
    "VBScript variable": 'strPass = "§"',
    "VBScript, ADO": 'oConn.Open "DSN=shop", "sa", "§"',
    "VBScript, WMI": 'Set o = locator.ConnectServer("srvb", "root\\cimv2", "svc", "§")',
    "VBScript, directory": 'Set o = dso.OpenDSObject("LDAP://dc", "svc", "§", 1)',
    "VBScript, SetPassword": 'objUser.SetPassword "§"',
    "VBScript, RegWrite": 'sh.RegWrite "HKLM\\SOFTWARE\\X\\DefaultPassword", "§", "REG_SZ"',
    "hash": "'password' => '§',",
    "zip": "zip -P § backup.zip D:\\data",
    "openssl, key": "openssl enc -aes256 -k § -in a -out b",
    "SNMP community": "snmpget -v2c -c § srvb sysName.0",
    "nssm": "nssm set Copier ObjectName corp\\svc §",
    "ipmitool": "ipmitool -H srvb -U svc -P § power status",
    "vaultcmd": "vaultcmd /addcreds:x /identity:svc /authenticator:§",
    "tf": "tf get /login:svc,§",
    "Storage Manager": "dsmc incremental -pas=§",
    "rman": "rman target sys/§@orcl catalog rco/other@cat cmdfile x.rcv",
    "rman, with sign": "rman.exe target=sys/§ log=x.log",
    "rman, quoted": 'rman target "sys/§@orcl"',
    "rman script": "connect target sys/§@orcl;\nbackup database;",
    "sqlplus, password quoted": 'sqlplus -S shop/\\"§\\"@srvb @x.sql',
    "sqlplus script": "CONN shop/§ as sysdba",
    "curl, switches together": "curl.exe -sSu svc:§ ftp://srvb/f",
    "ConvertTo-SecureString, switches first": "ConvertTo-SecureString -AsPlainText -Force -String '§'",
    "ConvertTo-SecureString, switch before": 'ConvertTo-SecureString -Force -AsPlainText "§"',
    "NetworkCredential, new": '[Net.NetworkCredential]::new("svc","§")',
    "PSCredential, ArgumentList": "New-Object System.Net.NetworkCredential -ArgumentList 'svc', '§'",
    "batch variable that ends in pass": "set DBPASS=§",
    "installer property that ends in pass": 'msiexec /i x.msi ADMINPASS="§" /qn',
    "long switch in parts": "rclone sync a b --sftp-pass §",
    "slash switch": "cscript //nologo x.vbs /password § /q",
    "netdom": "netdom join srvb /domain:corp /userd:svc /passwordd:§",
    "WinSCP without scheme": 'winscp.com /command "open svc:§@srvb" "exit"',
    "FTP script by echo, bare lines": "echo open srvb>ftp.txt\r\necho svc>>ftp.txt\r\necho §>>ftp.txt\r\necho bye>>ftp.txt\r\n",
    "FTP script written the other way": ">f.txt echo open srvb\n>>f.txt echo svc\n>>f.txt echo §\n>>f.txt echo bye\n",
    "azcopy": "azcopy /Source:c:\\x /DestKey:§",
    "mount": "mount -u:svc -p:§ \\\\srvb\\e p:",
    "registry client": "docker login -u svc -p § srvb",
    "db2": "connect to shop user svc using §",
}
LOOKS = {
    "AWS key id": "AKIAIOSFODNN7EXAMPLE",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "Slack token": "xoxb-123456789012-abcdefghijkl",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "Google key": "AIza" + "B" * 35,
    "DPAPI": "01000000d08c9ddf0115d1118c7a00c04fc297eb0100000054",
    "private key": "MIIEpAIBAAKCAQEA7",
}
INNOCENT = [
    r"robocopy \\srvb\d$\data E:\backup /MIR /R:2 /W:5 /NP /LOG+:C:\logs\copy.log",
    r'"C:\Program Files\Symantec AntiVirus\Rtvscan.exe"',
    r"xcopy C:\data \\srvb\share\data /E /C /H /K /O /Y /D",
    "defrag.exe C: -f -v",
    r"cmd /c for %i in (a b c) do copy %i \\srvb\x",
    "net use * /delete /y",
    r"net use z: \\srvb\share /persistent:yes",
    r"net use z: \\srvb\share * /user:corp\svc",
    r"net use %DRIVE% \\srvb\share %PW% /user:%USER%",
    r"net use z: \\srvb\share >nul 2>&1",
    "net stop DHCPServer && net start DNS",
    "schtasks /query /fo csv /v",
    r"schtasks /create /tn Copy /tr C:\copy.cmd /sc daily /st 02:00 /ru SYSTEM",
    "powershell -NoProfile -ExecutionPolicy Bypass -File C:\\scripts\\run.ps1 -Source C:\\x",
    "Version=2.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089",
    "LimitBlankPasswordUse=1",
    "MinimumPasswordLength = 8",
    "<LogonType>Password</LogonType>",
    "<RunLevel>HighestAvailable</RunLevel>",
    "http://schemas.microsoft.com/windows/2004/02/mit/task",
    "psexec \\\\srvb -s cmd /c dir",
    "mysqldump --port=3306 -P 3306 shop",
    "set PASSWORD=%1",
    "password=",
    "$password = Read-Host 'Password' -AsSecureString",
    r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters",
    "C:\\WINDOWS\\system32\\svchost.exe -k netsvcs -p",
    "user interface",
    "The password of the account was changed.",
    "sc config x obj= LocalSystem",
    "echo open the door",
    'net.MapNetworkDrive "Z:", "\\\\FS2\\Backup", False',
    'net.MapNetworkDrive "Z:", "\\\\FS2\\Backup", False, strUser, strWord',
    "set pwsh=C:\\pwsh\\pwsh.exe",
    'set "pwrsave=1"',
    "pwrsave = '1'",
    "set PW=%1",
    "set /p pw=Enter it:",
    "$pw = Read-Host",
    "$pw=$args[0]",
    "$pw = $credential.Next()",
    "net use z: \\\\srvb\\share ^\n /persistent:yes",
    "findstr /r ^\nhunter22 file",
    "see `net use`\nhunter22 is a word",
    "lftp -u svc sftp://srvb -e 'mirror a,b'",
    "smbclient //srvb/d -U svc -c ls",
    "smbclient //srvb/d -U corp\\%USERNAME%",
    "exp parfile=C:/jobs/full.par",
    "kix32 login.kix $drive=Z:",
    '"Password=" & strPass & ";Server=srvb"',
    'strPass = InputBox("Who goes there?")',
    "set bypass=1",
    "docker run -p 80:80 nginx",
    "zip -p archive.zip",
    "snmpget --help",
    "cscript x.vbs /pass c:\\x.txt",
    'http.Open "GET", "http://srvb/x", False',
    "rman target / cmdfile='d:\\a\\b.rcv' log=d:/a/b.log",
    "sqlplus -S / as sysdba",
    "curl -u http://srvb/b",
    "mount \\\\srvb\\e p:",
    "open ftp.srvb.example",
    'cmd /c "copy a b" & "copy c d"',
    "Copy-Item a b -PassThru -Force",
    "ConvertTo-SecureString -AsPlainText $p -Force",
    "echo open srvb>f",
]


@pytest.mark.parametrize("line", SHAPES.values(), ids=SHAPES)
def test_every_shape_of_a_secret_goes(line: str) -> None:
    text = line.replace("§", CANARY)
    for around in ("{}", "rem before\r\n{}\r\nrem after", "{} "):
        result = redact(around.format(text))
        assert CANARY not in result
        assert REDACTED in result
        assert redact(result) == result


@pytest.mark.parametrize("secret", LOOKS.values(), ids=LOOKS)
def test_keys_that_are_known_by_their_looks_go_wherever_they_stand(secret: str) -> None:
    text = f"x {secret} y" if "MIIE" not in secret else f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----"
    assert secret not in redact(text)


@pytest.mark.parametrize("line", INNOCENT)
def test_innocent_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


_words = st.from_regex(r"[A-Za-z]{1,3}[0-9]{1,3}[._:\\-]?[a-z]{0,3}", fullmatch=True)


@given(st.lists(_words, max_size=8))
def test_copy_commands_keep_every_word(words: list[str]) -> None:
    line = " ".join(["robocopy", r"\\srvb\c$\data", *words, "/MIR"])
    assert redact(line) == line


@given(st.text(max_size=300))
@example("net use a b c")
@example('password="password=')
@example("schtasks /p /p /p x")
def test_it_is_total_idempotent_and_its_mask_keeps_the_length(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert len(mask(text).encode("utf-16-le", "surrogatepass")) == len(text.encode("utf-16-le", "surrogatepass"))


COSTLY = (
    "a",
    "net use ",
    "psexec -p ",
    "password=",
    '"',
    "&quot;",
    "-----BEGIN PRIVATE KEY-----",
    "<password>",
    "user a ",
    "http://",
    "open a\n",
    "exp a/",
    "/v password ",
    "pw",
    "pw=",
    "set pw=",
    "set pw= ",
    "$apw",
    "MapNetworkDrive ",
    "MapNetworkDrive,",
    "lftp -u a",
    "smbclient -U a%",
    "exp userid=",
    "net use ^\n",
    " `\n",
)
"""Pieces that make costly texts."""


def test_what_stands_around_a_secret_stays() -> None:
    line = r"net use \\srvb\d$ hunter22 /user:svc & robocopy C:\a \\srvb\d$\a /MIR"
    assert redact(line) == line.replace("hunter22", REDACTED)


def test_the_name_of_a_value_decides() -> None:
    assert redact_named("DefaultPassword", "x") == REDACTED
    assert redact_named("AltDefaultPassword", "") == ""
    assert redact_named("PublicKeyToken", "b77a5c561934e089") == "b77a5c561934e089"
    assert redact_named("Parent", "SRVA") == "SRVA"
    assert [redact_named(name, "x") for name in ("pw", "ServerPw", "userpw")] == [REDACTED] * 3
    assert [redact_named(name, "x") for name in ("pwsh", "PwrSave", "pwPath")] == ["x"] * 3
    assert redact_named("Command", "net user a hunter22") == f"net user a {REDACTED}"


def _job(*texts: str) -> str:
    counted = b"".join(struct.pack("<H", len(t.encode("utf-16-le")) // 2 + 1) + (t + "\0").encode("utf-16-le") for t in texts)
    return base64.b64encode(bytes(20) + struct.pack("<HH", 70, 0) + bytes(46) + counted + b"\x01\x02\x03").decode()


def test_secrets_in_a_job_file_are_masked_in_place() -> None:
    data = redact_job(_job(r"C:\WINDOWS\system32\net.exe", r"use \\srvb\d$ hunter2\U0001f600 /user:svc", "C:\\", "me", "password=abc"))
    raw = base64.b64decode(data)
    assert len(raw) == len(
        base64.b64decode(_job(r"C:\WINDOWS\system32\net.exe", r"use \\srvb\d$ hunter2\U0001f600 /user:svc", "C:\\", "me", "password=abc"))
    )
    text = raw[72:].decode("utf-16-le", "replace")
    assert "hunter2" not in text
    assert "/user:svc" in text
    assert r"\\srvb\d$" in text
    assert "password=***" in text


@given(st.binary(max_size=200))
def test_a_job_file_of_any_bytes_keeps_its_length(raw: bytes) -> None:
    assert len(base64.b64decode(redact_job(base64.b64encode(raw).decode()))) == len(raw)


@pytest.mark.parametrize("piece", COSTLY)
def test_cost_grows_with_the_text_and_no_faster(piece: str) -> None:
    """Counted in calls; what one into the regular expressions costs is bounded by their form (below), and timed by bench/redact.py."""

    def cost(size: int) -> int:
        text = piece * (size // len(piece))
        return calls_of(lambda: redact(text))

    assert cost(80_000) < max(200, 5 * cost(20_000))


def test_no_expression_repeats_without_end() -> None:
    """So what one place of a text costs is bounded. `.*` ends a few that are held against one word, where nothing can follow it."""
    shapes = [shape.pattern for shape in SHAPES_KNOWN] + [one for tool in TOOLS for one in (tool.name, tool.arguments)]
    own = [value for module in (redact_module, secret_shapes) for value in vars(module).values() if isinstance(value, re.Pattern)]
    for pattern in (one.pattern for one in (*shapes, *own)):
        rest = re.sub(r"\\.|\[[^]]+\]", "_", pattern).replace("|_.*|", "|_|").replace("|_.*|", "|_|")
        assert not re.search(r"[*+]|\{\d*,\}", rest), pattern


@settings(max_examples=30)
@given(st.sampled_from(sorted(SHAPES)), st.text(string.ascii_letters + string.digits + "!#+.", min_size=16, max_size=20))
def test_a_secret_of_any_ordinary_spelling_goes(shape: str, secret: str) -> None:
    line = SHAPES[shape]
    rest = line.replace("§", "")
    if secret not in rest and "api" not in shape.lower():
        assert secret not in redact(line.replace("§", secret))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from(["", "@echo off\r\n", "' a remark\r\n", '{"line": 1}\n', "C:\\jobs> "]),
    st.sampled_from(["", "\r\nrobocopy D:\\data \\\\srvb\\backup /MIR\r\n", "\nexit /b 0"]),
)
def test_what_stands_before_and_after_neither_hides_a_secret_nor_goes_with_it(shape: str, before: str, after: str) -> None:
    text = f"{before}{SHAPES[shape].replace('§', CANARY)}\n{after}"
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert cleaned.startswith(before)
    assert cleaned.endswith(after)
    assert cleaned.count("\n") == text.count("\n")
