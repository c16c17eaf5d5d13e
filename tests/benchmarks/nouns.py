"""Spanish nouns that a newspaper's archive could be sorted by, as distractors beside topics."""

_TEXT = """
abogacía abonos acero aduanas agricultura agua ahorro albañilería alimentación alquiler amistad
antigüedades apicultura árboles archivos arena aritmética armarios arqueología arquitectura
artesanía asilo astrología atención autobuses aves avispas bancos barrios basura baterías bebés
becas biblioteca bicicletas bisutería bodas bomberos bosques botánica brujería cables café
calefacción calendario calzado camiones campanas caridad carne carpintería carreteras cartas
cáscaras castillos caza cementerios cemento cerámica cerrajería cerveza champú chocolate
ciudadanía clima cocina codicia colchones colegios comercio compañerismo compras condominios
confianza conservas construcción consumo contabilidad contratos cooperativas correos cortinas
corrupción cosméticos costura crianza cristal crédito cuchillos cuentas cuero culpa cultivos
decoración delincuencia derecho desempleo deudas diccionarios divorcio domótica dulces
duelo ebanistería ecología edificios educación ejército electricidad emigración empleo energía
enseñanza envases envidia erosión escaleras esclavitud escritura escuelas espejos
esperanza etiqueta evangelio exportaciones fábricas familia farolas felicidad ferrocarril ferretería
fertilizantes filosofía finanzas flores fontanería frontera fruta fuego funerales ganadería garajes
gasolina gatos genealogía gramática grano gratitud grúas guardería guerra hambre harina heráldica
herencias herramientas hielo hierro hipotecas hogar hormigas hormigón hospicios hostelería
huelgas huerta huevos humo idiomas iglesias igualdad iluminación imprenta impuestos incendios
industria inflación infancia infraestructura ingeniería inmigración insectos inundaciones
inversión invierno jabón jardinería joyería jubilación judaísmo justicia juventud ladrillos lana
lavandería leche lectura legumbres lenguas lentes leña ley libertad limpieza linaje lluvia
logística lotería luto madera maíz mantas maquinaria maremotos mariscos mármol matrimonio
mecánica memoria mercados metalurgia miedo miel migración minería mobiliario moda monarquía
monedas moral motores mudanzas muebles mujeres multas naufragios navidad negocios niñez
nieve nobleza notaría números obras oficinas óptica oración orfanatos oro ortografía panadería
papel paraguas parentesco paro pasteles patentes patrimonio paz peces pegamento peluquería
pensiones peluches perfumes periodismo perros pesca petróleo pintura piratería plagas planchado
plástico plata plomo pobreza poda policía pólvora porcelana prisiones privacidad prudencia
publicidad puentes puertos quesos química racismo radio reciclaje refranes regadío relojes religión
restauración retórica robos ropa sal salarios sastrería seguridad seguros sellos semillas
sindicatos soledad subastas sueño supermercados tabaco talleres tapices tejidos telefonía tenencia
terremotos textiles tiendas tintas tolerancia tormentas trabajo tractores tradiciones transporte
trenes tribunales trigo tubérculos uniformes universidad urbanismo vacas vajilla vecindad vejez
vendimia ventanas vestidos veterinaria víctimas vidrio vino viudez vivienda volcanes voluntariado
zapatos zoología
"""
NOUNS = tuple(_TEXT.split())
